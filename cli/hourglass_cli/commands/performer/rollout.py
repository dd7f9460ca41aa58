"""``hourglass performer promote | abort | rollback | drain | fence | …``: acts."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format

from .complete import Performer
from .options import DryRun, Etag, Output, Revision, targeted

if TYPE_CHECKING:
    from hourglass_services.control.port import PerformerView, RevisionView

    from hourglass_cli.session import Session
    from hourglass_cli.show.readiness import State

Wait = Annotated[
    bool, typer.Option("--wait", help="Wait for what comes of it; exit codes as for status.")
]


def _act(
    asker: Asker, act: str, name: str, *, etag: str, dry_run: bool, revision: str = ""
) -> "PerformerView":
    from hourglass_services.control.port import Act, Aim

    from hourglass_cli.questions import one_namespace

    async def ask(session: "Session") -> "PerformerView":
        aim = Aim(namespace=one_namespace(session), name=name, etag=etag, validate_only=dry_run)
        return await session.port.act(Act(act), aim, revision)

    return asker.quickly(ask)


def _said(done: str, *, dry_run: bool) -> str:
    return f"{done} (dry run, nothing changed)" if dry_run else done


@targeted(timeout="60s")
def promote(
    asker: Asker,
    name: Performer,
    revision: Revision = "",
    wait: Wait = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Let the revision that the spec asks for take over, past its gate and its pause."""
    from .printing import print_done
    from .waiting import code_after

    view = _act(asker, "Promote", name, etag=etag, dry_run=dry_run, revision=revision)
    status = view.manifest.get("status") or {}
    asked, serving = status.get("revision", ""), status.get("inServiceRevision", "")
    what = f"revision {asked} is in service" if asked == serving else f"revision {asked} takes over"
    done = f"promoted{f': {what}' if asked else ''}"
    print_done(asker, view, output, _said(done, dry_run=dry_run))
    return code_after(asker, name, wait=wait and not dry_run)


@targeted()
def abort(
    asker: Asker,
    name: Performer,
    revision: Revision = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Give up the revision that is being rolled out; the one before serves on."""
    from .printing import print_done

    view = _act(asker, "Abort", name, etag=etag, dry_run=dry_run, revision=revision)
    serving = (view.manifest.get("status") or {}).get("inServiceRevision", "")
    done = f"aborted{f': revision {serving} serves on' if serving else ''}"
    print_done(asker, view, output, _said(done, dry_run=dry_run))


@targeted(timeout="60s")
def rollback(
    asker: Asker,
    name: Performer,
    to: Annotated[
        str,
        typer.Option(
            "--to-revision",
            "--revision",
            help="The revision to return to; the one that served before if not given.",
            show_default=False,
        ),
    ] = "",
    wait: Wait = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Return to an earlier revision in one switch, past gate and pause; say to which."""
    from hourglass_cli.questions import one_namespace

    from .printing import print_done
    from .waiting import code_after

    async def look(session: "Session") -> Any:
        namespace = one_namespace(session)
        view = await session.port.get(namespace, name)
        return view, await session.port.list_revisions(namespace, name)

    before, kept = asker.quickly(look)
    current = str((before.manifest.get("status") or {}).get("revision", ""))
    goal = _goal(kept, current, to)
    if goal is not None:
        print(_route(before.manifest, kept, goal), file=sys.stderr)
    target = goal.hash if goal is not None else to
    view = _act(asker, "Rollback", name, etag=etag, dry_run=dry_run, revision=target)
    done = f"rolled back{f' to revision {target}' if target else ''}"
    print_done(asker, view, output, _said(done, dry_run=dry_run))
    return code_after(asker, name, wait=wait and not dry_run, done=_serves(target))


def _goal(kept: "Sequence[RevisionView]", current: str, wanted: str) -> "RevisionView | None":
    """Return the revision that is meant: the named one, else the last in service before."""
    if wanted:
        return next((each for each in kept if each.hash == wanted), None)
    served = [each for each in kept if each.hash != current and each.in_service_since]
    return max(served, key=lambda each: each.in_service_since, default=None)


def _route(manifest: Any, kept: "Sequence[RevisionView]", goal: "RevisionView") -> str:
    serving = str((manifest.get("status") or {}).get("inServiceRevision", ""))
    if serving == goal.hash:
        return f"revision {serving} ({goal.image}) serves already"
    images = {each.hash: each.image for each in kept}
    return f"from revision {serving} ({images.get(serving, '')}) to {goal.hash} ({goal.image})"


def _serves(revision: str) -> Any:
    """Return what says whether ``revision`` serves: Stalled is meant after a rollback."""
    from hourglass_cli.show.readiness import Outcome, State

    def state(view: "PerformerView") -> "State":
        status = view.manifest.get("status") or {}
        there: Any = next(
            (e for e in status.get("revisions") or () if e.get("hash") == revision), {}
        )
        ready, replicas = there.get("readyReplicas", 0), there.get("replicas", 0)
        serves = status.get("inServiceRevision") == revision and ready and ready == replicas
        text = f"revision {revision} has {ready} of {replicas} instances ready"
        return State(Outcome.READY if serves else Outcome.NOT_YET, "RolledBack", text)

    return state


@targeted(timeout="6m")
def drain(
    asker: Asker,
    name: Performer,
    etag: Etag = "",
    output: Output = Format.TABLE,
) -> int:
    """Fence a performer and wait until its tasks have ended, as its executors report.

    Exit code 1 if tasks were left, or if nobody knows. `unfence` gives it tasks again.
    """
    from hourglass_services.control.port import Aim

    from hourglass_cli.questions import one_namespace
    from hourglass_cli.terminal import Progress

    from .printing import print_view

    progress = Progress()

    async def ask(session: "Session") -> Any:
        progress.say(f"{name}: fenced, waiting for its tasks to end")
        return await session.port.drain(Aim(namespace=one_namespace(session), name=name, etag=etag))

    try:
        found = asker.quickly(ask)
    finally:
        progress.end()
    if output in (Format.TABLE, Format.WIDE):
        print(f"performer/{name} drained: {found.in_flight} in flight, {found.lost} lost")
    else:
        print_view(asker, found.performer, output)
    return 0 if found.in_flight == "0" else 1


@targeted()
def fence(
    asker: Asker,
    name: Performer,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Keep the instances running and give them no tasks."""
    _simple(asker, "Fence", name, etag, dry_run, output, "fenced")


@targeted()
def unfence(
    asker: Asker,
    name: Performer,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Give the instances tasks again."""
    _simple(asker, "Unfence", name, etag, dry_run, output, "unfenced")


@targeted()
def suspend(
    asker: Asker,
    name: Performer,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Run no instances until it is resumed; the number that is wanted is kept."""
    _simple(asker, "Suspend", name, etag, dry_run, output, "suspended")


@targeted(timeout="60s")
def resume(
    asker: Asker,
    name: Performer,
    wait: Wait = False,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> int:
    """Run the instances again."""
    from .waiting import code_after

    _simple(asker, "Resume", name, etag, dry_run, output, "resumed")
    return code_after(asker, name, wait=wait and not dry_run)


def _simple(asker: Asker, act: str, name: str, etag: str, *rest: Any) -> None:
    from .printing import print_done

    dry_run, output, done = rest
    view = _act(asker, act, name, etag=etag, dry_run=dry_run)
    print_done(asker, view, output, _said(done, dry_run=dry_run))
