"""What goes into a support bundle: gathered piece by piece, and what failed is told in it."""

import platform
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import yaml
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Manifest,
    Resource,
)
from hourglass_services.control.port import PerformerView

from hourglass_cli.questions import all_performers, inspected
from hourglass_cli.session import Session
from hourglass_cli.show.output import Format, document
from hourglass_cli.show.records import record

from .redaction import Redaction

OPERATOR = "app.kubernetes.io/name=hourglass-operator"
LOG_LINES = 5000
LOG_BYTES = 4 << 20
EVENTS_AT_MOST = 2000
_OWNED = "app=hourglass-performer"
_CHILDREN: tuple[tuple[Resource, str], ...] = (
    (REPLICA_SETS, _OWNED),
    (PODS, _OWNED),
    (SERVICES, _OWNED),
    (ENDPOINT_SLICES, _OWNED),
    (NETWORK_POLICIES, _OWNED),
    (POD_DISRUPTION_BUDGETS, _OWNED),
    (LEASES, "hourglass.eigenlayer.io/drain=true"),
)
_PACKAGES = ("hourglass", "grpcio", "protobuf", "kubernetes", "aiohttp", "pydantic")

README = """\
A support bundle of Hourglass, made by `hourglass report`.

versions.yaml    of Hourglass, Python, this machine's system, and the cluster
checks.txt       what `hourglass check` says
performers/      each performer, its revisions, and why it serves or does not
children/        what the operator made for them
events/          what happened to them
operator/        its pods, logs and metrics
executors/       the instances as the executors see them
missing.txt      what could not be had, and why

Removed: values of environment variables and arguments, smoke tasks, annotations of others, the
record of what was applied, everything that looks like a token, a password or a private key, and
wherever else one of these values turned up. Secrets, ConfigMaps and the kubeconfig were not read.
Look through it before you hand it on all the same.
"""


@dataclass(slots=True)
class Contents:
    """The files of a bundle by name; everything that goes in has passed the redaction once."""

    redaction: Redaction
    files: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def put(self, name: str, text: str) -> None:
        self.files[name] = text

    def put_objects(self, name: str, objects: Sequence[Manifest]) -> None:
        cleaned = [self.redaction.manifest(each) for each in objects]
        self.put(name, yaml.safe_dump_all(cleaned, sort_keys=True))

    async def gather(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work``; where it fails, the bundle says so and goes on."""
        try:
            await work()
        except HourglassError as error:
            self.missing.append(f"{what}: {error.message}")

    def finished(self) -> dict[str, bytes]:
        """Return the files as they are written. A secret may have been met after the file that
        quotes it: all texts are looked through now."""
        self.put("README.txt", README)
        self.put("missing.txt", "\n".join(self.missing) + "\n" if self.missing else "nothing\n")
        return {
            self.redaction.text(name): self.redaction.text(text).encode()
            for name, text in sorted(self.files.items())
        }


def put_versions(contents: Contents, server: Any = None) -> None:
    """Say what runs here, and what the cluster says of itself."""
    packages = {name: found for name in _PACKAGES if (found := _version(name))}
    facts = {
        "packages": packages,
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "kubernetes": server,
    }
    contents.put("versions.yaml", document(facts, Format.YAML) + "\n")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


async def put_performers(contents: Contents, session: Session) -> list[PerformerView]:
    """Put in every performer with its revisions and its explanation; returns them."""
    views = await all_performers(session)
    for view in views:
        meta = view.manifest["metadata"]
        namespace, name = str(meta.get("namespace", "")), str(meta["name"])
        place = f"performers/{namespace}/{name}"
        contents.put_objects(f"{place}.yaml", [view.manifest])

        async def explained(place: str = place, at: tuple[str, str] = (namespace, name)) -> None:
            found = await session.port.explain(*at)
            contents.put(f"{place}.explained.yaml", document(record(found), Format.YAML) + "\n")

        async def kept(place: str = place, at: tuple[str, str] = (namespace, name)) -> None:
            found = {"revisions": record(list(await session.port.list_revisions(*at)))}
            contents.put(f"{place}.revisions.yaml", document(found, Format.YAML) + "\n")

        await contents.gather(f"explanation of {namespace}/{name}", explained)
        await contents.gather(f"revisions of {namespace}/{name}", kept)
    return views


async def put_cluster(
    contents: Contents, kube: KubeClient, namespaces: Sequence[str], names: Sequence[str]
) -> None:
    """Put in what the operator made in ``namespaces``, and the events about it."""
    for namespace in namespaces:
        for resource, selector in _CHILDREN:

            async def children(
                namespace: str = namespace, of: Resource = resource, by: str = selector
            ) -> None:
                page = await kube.list(of, namespace, label_selector=by)
                if page.items:
                    contents.put_objects(f"children/{namespace}/{of.plural}.yaml", page.items)

            await contents.gather(f"{resource.plural} in {namespace}", children)

        async def events(namespace: str = namespace) -> None:
            page = await kube.list(EVENTS, namespace, limit=EVENTS_AT_MOST)
            ours = [each for each in page.items if _is_about(each, names)]
            if ours:
                contents.put_objects(f"events/{namespace}.yaml", ours)

        await contents.gather(f"events in {namespace}", events)


def _is_about(event: Manifest, names: Sequence[str]) -> bool:
    about = str((event.get("regarding") or {}).get("name", ""))
    return any(about == n or about.startswith((f"{n}-", f"performer-{n}")) for n in names)


async def put_operator(contents: Contents, kube: KubeClient, namespace: str) -> None:
    """Put in the operator's pods with the end of their logs, and their metrics."""

    async def pods() -> None:
        found = (await kube.list(PODS, namespace, label_selector=OPERATOR)).items
        if not found:
            contents.missing.append(f"operator: no pods labelled {OPERATOR} in {namespace}")
            return
        contents.put_objects("operator/pods.yaml", found)
        for pod in found:
            name = str(pod["metadata"]["name"])
            path = PODS.path(namespace, name, "log")
            await contents.gather(f"log of {name}", partial(log, name, path))
            proxy = PODS.path(namespace, f"{name}:{_metrics_port(pod)}", "proxy") + "/metrics"
            await contents.gather(f"metrics of {name}", partial(metrics, name, proxy))

    async def log(name: str, path: str) -> None:
        text = b""
        query = {"tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES), "timestamps": "true"}
        async for chunk in kube.stream(path, query, idle_seconds=10):
            text += chunk
        contents.put(f"operator/{name}.log", text.decode("utf-8", "replace"))

    async def metrics(name: str, path: str) -> None:
        contents.put(f"operator/{name}.metrics.txt", (await kube.raw(path)).decode())

    await contents.gather("pods of the operator", pods)


def _metrics_port(pod: Manifest) -> int:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == "metrics":
                return int(port["containerPort"])
    return 8080


async def put_executors(contents: Contents, addresses: Sequence[str]) -> None:
    """Put in what each executor tells of its instances."""
    for address in addresses:
        told = await inspected((address,))
        if told.failures:
            contents.missing += told.failures
        else:
            found = {"endpoints": record(list(told.endpoints))}
            name = address.replace(":", "-").replace("/", "-")
            contents.put(f"executors/{name}.yaml", document(found, Format.YAML) + "\n")
