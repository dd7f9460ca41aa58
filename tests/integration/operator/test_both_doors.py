"""What the Kubernetes API refuses to a tenant, PerformerControl refuses to it too, in its words."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import PERFORMERS, Manifest
from hourglass_services.control.port import Aim, Creation, Masked

from tests.support.control_plane import ControlPlane
from tests.support.hostile_specs import (
    HARMLESS,
    HOSTILE,
    OWN,
    POLICY,
    RULES,
    Wish,
    blue_green,
    config,
    decision,
    pulls,
    scheduling,
    secrets,
    settings,
)
from tests.support.targets import ADMISSION, REAL
from tests.support.tenants import OPERATOR, Control, Tenancy, in_force, own_api, settle

pytestmark = [pytest.mark.real_api, pytest.mark.only(REAL, ADMISSION)]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with own_api(Path(tmp_path_factory.mktemp("doors"))) as plane:
        yield plane


@pytest.fixture(scope="module")
def tenancy(api: ControlPlane) -> Tenancy:
    async def made() -> Tenancy:
        found = await settle(api, "team-a", RULES, POLICY)
        probes = [
            next(w for w in HOSTILE if w.id == id_).manifest(found.namespace, "probe")
            for id_ in ("secret", "image by tag")
        ]
        await in_force(found, probes)
        return found

    return asyncio.run(made())


@dataclass(frozen=True)
class Doors:
    """The two ways to the same objects, both as the tenant."""

    namespace: str
    kubectl: KubeClient
    control: Control
    operator: KubeClient


@pytest.fixture
async def doors(tenancy: Tenancy) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(tenancy.client(""))
        operator = await stack.enter_async_context(tenancy.client(OPERATOR))
        tenant = await stack.enter_async_context(tenancy.client(tenancy.account))
        control = await stack.enter_async_context(tenancy.control(operator, admin))
        yield Doors(tenancy.namespace, tenant, control, operator)


async def through_the_api(doors: Doors, wish: Wish, name: str, old: Manifest | None) -> None:
    new = wish.manifest(doors.namespace, name)
    if old is None:
        await doors.kubectl.create(PERFORMERS, new["metadata"]["namespace"], new, dry_run=True)
        return
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    await doors.kubectl.replace(PERFORMERS, doors.namespace, new, dry_run=True)


async def through_control(doors: Doors, wish: Wish, name: str, old: Manifest | None) -> None:
    new = wish.manifest(doors.namespace, name)
    meta = new["metadata"]
    async with doors.control.as_the_tenant():
        if wish.meta or wish.meta_before:  # of which its requests can say no more than labels
            await doors.control.tenant.check(old, new)
        elif old is None:
            asked = Creation(
                namespace=meta["namespace"],
                name=meta["name"],
                spec=new["spec"],
                validate_only=True,
            )
            await doors.control.service.create(asked)
        else:
            aim = Aim(namespace=doors.namespace, name=name, validate_only=True)
            await doors.control.service.update(aim, Masked(new, (("spec",),)))


async def there_before(doors: Doors, wish: Wish, name: str) -> Manifest | None:
    """Make what is there before, as the operator, whom no policy asks."""
    old = wish.old(doors.namespace, name)
    return await doors.operator.create(PERFORMERS, doors.namespace, old) if old else None


@pytest.mark.parametrize("wish", HOSTILE, ids=lambda wish: wish.id)
async def test_a_hostile_spec_is_refused_in_the_same_words(doors: Doors, wish: Wish) -> None:
    name = wish.name or f"p-{uuid4().hex[:8]}"
    old = await there_before(doors, wish, name)
    words = wish.words(doors.namespace, name)
    with pytest.raises(KubeError) as by_the_api:
        await through_the_api(doors, wish, name, old)
    with pytest.raises(HourglassError) as by_control:
        await through_control(doors, wish, name, old)
    assert words in by_the_api.value.message
    assert words in by_control.value.message
    assert by_control.value.code is by_the_api.value.code
    assert by_control.value.code in (Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT)


@pytest.mark.parametrize("wish", HARMLESS, ids=lambda wish: wish.id)
async def test_a_harmless_spec_is_let_through_by_both(doors: Doors, wish: Wish) -> None:
    name = f"p-{uuid4().hex[:8]}"
    old = await there_before(doors, wish, name)
    await through_the_api(doors, wish, name, old)
    await through_control(doors, wish, name, old)


def test_the_corpus_is_as_large_as_is_promised() -> None:
    assert len(HOSTILE) >= 40
    assert len({wish.id for wish in HOSTILE}) == len(HOSTILE)
    assert len(HARMLESS) >= 10


_HOSTS: tuple[str, ...] = (
    "",
    "registry.example.com",
    "REGISTRY.example.com",
    "registry.example.com:5000",
    "ghcr.io",
)
_HOSTS += ("docker.io", "index.docker.io", "Docker.io", "localhost", "[::1]:1", "team", "process:/")
_PATHS = ("team", "team/x", "x", "library/team", "teammate/x", "a/team", "docker.io/team/x")
_TAGS = ("", ":1", ":5000", ":team")
_DIGESTS = ("", f"@sha256:{'a' * 64}", f"@sha512:{'b' * 128}")


async def test_each_image_is_judged_alike_at_both_doors(doors: Doors) -> None:
    pieces = list(itertools.product(_HOSTS, _PATHS, _TAGS, _DIGESTS))
    verdicts: set[str] = set()
    for host, path, tag, digest in random.Random(5).sample(pieces, 250):
        image = f"{host}/{path}{tag}{digest}" if host else f"{path}{tag}{digest}"
        verdicts.add(await judged_alike(doors, Wish("", "", {"image": image}), None))
    assert verdicts == {"", "registries", "digest"}


_FRAGMENTS: tuple[dict[str, Any], ...] = (
    secrets(OWN[0]),
    secrets("db"),
    secrets(OWN[0], "db", args=["a"]),
    settings("db"),
    pulls(OWN[0]),
    pulls("", "db"),
    config(serviceAccountName="worker"),
    config(serviceAccountName="admin"),
    scheduling(priorityClassName="batch"),
    scheduling(priorityClassName="urgent", nodeSelector={"a": "b"}),
    decision(),
    decision("Abort"),
    decision("Rollback", revision="def456"),
    blue_green(),
    blue_green(autoPromoteAfterSeconds=5),
    {"strategy": {"type": "Recreate"}},
    *({flag: value} for flag in ("fence", "suspend") for value in (True, False)),
    {"replicas": 3},
    {"version": "2"},
    {"imagePullPolicy": "IfNotPresent"},
    {"imagePullPolicy": "Always"},
    {"health": {}},
    {"health": {"periodSeconds": 5}},
    {"security": {"profile": "Baseline"}},
    {"rollout": {"drainTimeoutSeconds": 60}},
)


async def test_each_change_is_judged_alike_at_both_doors(doors: Doors) -> None:
    rng = random.Random(7)
    verdicts: set[str] = set()
    for number in range(200):
        before, after = (_mixed(rng) for _ in range(2))
        if rng.random() < 0.5:
            after = {**before, **rng.choice(_FRAGMENTS)}
        wish = Wish("", "", after, before)
        old = await there_before(doors, wish, f"change-{number}")
        verdicts.add(await judged_alike(doors, wish, old))
    assert len(verdicts) > 10


def _mixed(rng: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fragment in rng.sample(_FRAGMENTS, rng.randrange(5)):
        found |= fragment
    return found


async def judged_alike(doors: Doors, wish: Wish, old: Manifest | None) -> str:
    """Return what kind of verdict it was, "" if both let it through."""
    name = str(old["metadata"]["name"]) if old else "any"
    said = [
        await _words_of(door(doors, wish, name, old)) for door in (through_the_api, through_control)
    ]
    assert bool(said[0]) == bool(said[1]), (wish.spec, wish.before, said)
    assert said[1].partition(": ")[2] in said[0], (wish.spec, wish.before, said)
    kinds = (
        "registries",
        "digest",
        "get",
        "use",
        "promote",
        "abort",
        "rollback",
        "fence",
        "suspend",
    )
    found = [kind for kind in kinds if kind in said[1]]
    return " ".join([said[1].partition(": ")[0], *found]) if old else "".join(found[:1])


async def _words_of(passing: Awaitable[None]) -> str:
    try:
        await passing
    except HourglassError as error:
        return error.message
    return ""
