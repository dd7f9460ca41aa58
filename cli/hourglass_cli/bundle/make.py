"""Making a support bundle: opened, gathered, cleaned, written."""

import io
import os
import tarfile
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import orjson
from hourglass_common.domain.errors import Code, HourglassError

from hourglass_cli.checks.cluster import Account
from hourglass_cli.checks.model import as_text
from hourglass_cli.checks.run import Wanted, run_checks, targets
from hourglass_cli.session import Asker
from hourglass_cli.target import Target
from hourglass_cli.terminal import Paint, Progress

from .contents import (
    Contents,
    put_cluster,
    put_executors,
    put_operator,
    put_performers,
    put_versions,
)
from .redaction import Redaction


@dataclass(frozen=True, slots=True)
class Bundle:
    """A written bundle: where it is, the names of its files, and what could not be had."""

    path: Path
    names: tuple[str, ...]
    missing: tuple[str, ...]


async def make_bundle(
    asker: Asker, path: Path, account: Account, executors: tuple[str, ...], progress: Progress
) -> Bundle:
    """Gather what can be had and write it to ``path``, for its owner's eyes only."""
    contents = Contents(Redaction(_own_secrets(asker.target)))
    kube, control = targets(asker)
    put_versions(contents)
    progress.say("checking")
    result = await run_checks(asker, Wanted(account=account, executors=executors))
    contents.put("checks.txt", as_text(result, Paint()) + "\n")
    for target in (kube, control if kube is None else None):
        if target is not None:
            work = partial(_of_session, asker, contents, target, account, progress)
            await contents.gather("performers", work)
    progress.say("asking executors")
    await put_executors(contents, executors)
    files = contents.finished()
    progress.say("writing")
    _write(path, files, asker.host.now())
    return Bundle(path, tuple(files), tuple(map(contents.redaction.text, contents.missing)))


async def _of_session(
    asker: Asker, contents: Contents, target: Target, account: Account, progress: Progress
) -> None:
    progress.say("reading performers")
    async with asker.host.opener(target, asker.host.program) as session:
        kube = session.kube
        if kube is not None:
            # What the user shows to the API must not come back out of a log.
            header = await kube.connection.authorization() or ""
            password = (
                kube.connection.server.partition("://")[2].rpartition("@")[0].partition(":")[2]
            )
            contents.redaction.learn([header.rpartition(" ")[2], password])
        views = await put_performers(contents, session)
        if kube is None:
            contents.missing.append("children, events, operator: give --kubeconfig to have them")
            return
        put_versions(contents, orjson.loads(await kube.raw("/version")))
        metas = [view.manifest["metadata"] for view in views]
        namespaces = sorted({str(meta.get("namespace", "")) for meta in metas})
        progress.say("reading what belongs to them")
        await put_cluster(contents, kube, namespaces, [str(meta["name"]) for meta in metas])
        progress.say("reading the operator's logs")
        await put_operator(contents, kube, account.namespace)


def _own_secrets(target: Target) -> list[str]:
    found = [target.token]
    if target.token_file is not None and target.token_file.is_file():
        found.append(target.token_file.read_text().strip())
    return found


def _write(path: Path, files: dict[str, bytes], now: datetime) -> None:
    root = path.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(now.timestamp())
            archive.addfile(entry, io.BytesIO(content))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(packed.getvalue())
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"{path} can not be written: {exc.strerror}",
            hint="name another file with --file",
        ) from exc
