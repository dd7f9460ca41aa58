"""All checks, in the order in which one rests on another."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.client import KubeClient

from hourglass_cli.questions import all_performers
from hourglass_cli.session import Asker
from hourglass_cli.target import Program, Target

from .cluster import (
    Account,
    check_api,
    check_definition,
    check_may_install,
    check_operator,
    check_rights,
)
from .model import Category, Result, State, failed, skipped
from .services import check_control, check_executors, check_performers


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to check: ``before`` an installation or after it, and where the operator is."""

    before: bool = False
    account: Account
    executors: tuple[str, ...] = ()


def targets(asker: Asker) -> tuple[Target | None, Target | None]:
    """Return where the Kubernetes API and PerformerControl are asked, None where they are not.

    A check asks both: what is named, else what is there as a rule.
    """
    target = asker.target
    named = target.names_kubernetes
    control = target.control or os.environ.get("HOURGLASS_CONTROL", "")
    usual = bool(os.environ.get("KUBECONFIG")) or (Path.home() / ".kube/config").is_file()
    by_kubectl = asker.host.program is Program.KUBECTL
    kube = replace(target, control="") if named or by_kubectl or (usual and not control) else None
    asked = replace(target, control=control, kubeconfig=None, context="", acting_as="")
    return kube, asked if control or kube is None else None


async def run_checks(asker: Asker, wanted: Wanted) -> Result:
    """Run what can be run; nothing that fails keeps the next category from being looked at."""
    kube, control = targets(asker)
    found: list[Category] = []
    ways: list[Target] = []
    if kube is not None:
        found += await _of_the_cluster(asker, kube, wanted)
        ways += [kube] if _well(found[:2]) else []
    else:
        hint = "name it with --kubeconfig or --context"
        found.append(Category("Kubernetes API", (skipped("not looked at", "not named", hint),)))
    if wanted.before:
        return Result(tuple(found))
    if control is not None:
        found.append(await check_control(control))
        ways = [control, *ways] if _well(found[-1:]) else ways
    if wanted.executors:
        found.append(await check_executors(wanted.executors))
    if ways:
        found.append(await _performers(asker, ways[0]))
    return Result(tuple(found))


def _well(categories: Sequence[Category]) -> bool:
    checks = [each for category in categories for each in category.checks]
    return all(each.state is not State.FAILED for each in checks)


async def _of_the_cluster(asker: Asker, target: Target, wanted: Wanted) -> Sequence[Category]:
    from hourglass_cli.kube_access import kube_client

    try:
        async with kube_client(target) as kube:
            return await _categories(kube, target, wanted, asker)
    except HourglassError as error:
        what = "the kubeconfig can be used"
        return (Category("Kubernetes API", (failed(what, error.message, error.hint),)),)


async def _categories(
    kube: KubeClient, target: Target, wanted: Wanted, asker: Asker
) -> Sequence[Category]:
    api = await check_api(kube)
    if any(each.state is State.FAILED for each in api.checks[:1]):
        return (api,)
    definition = await check_definition(kube, before=wanted.before)
    if wanted.before:
        return (api, definition, await check_may_install(kube, wanted.account))
    namespaces = (target.namespace,) if target.namespace else ()
    return (
        api,
        definition,
        await check_rights(kube, wanted.account, namespaces),
        await check_operator(kube, wanted.account, asker.host.now()),
    )


async def _performers(asker: Asker, target: Target) -> Category:
    try:
        async with asker.host.opener(target, asker.host.program) as session:
            return check_performers(await all_performers(session), asker.host.program)
    except HourglassError as error:
        return Category("Performers", (failed("they can be listed", error.message, error.hint),))
