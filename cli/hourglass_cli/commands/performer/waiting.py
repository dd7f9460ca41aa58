"""Waiting for a performer, with progress on stderr."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hourglass_cli.durations import shown
from hourglass_cli.session import Asker, Session
from hourglass_cli.show.readiness import Outcome, State, state_of
from hourglass_cli.terminal import Progress

if TYPE_CHECKING:
    from hourglass_services.control.port import PerformerView


def wait_until_ready(asker: Asker, name: str) -> "tuple[PerformerView, State]":
    """Return the performer once it is Ready or failed; DEADLINE_EXCEEDED says how far it got."""
    return wait_until(asker, name, lambda view: state_of(view.manifest))


def wait_until(
    asker: Asker, name: str, done: Callable[[Any], State]
) -> "tuple[PerformerView, State]":
    """As ``wait_until_ready``, for what ``done`` calls so."""
    from hourglass_common.domain.errors import Code, HourglassError

    from hourglass_cli.questions import until

    progress = Progress()
    last: list[str] = []

    def say(text: str) -> None:
        last[:] = [text]
        progress.say(text)

    async def ask(session: Session) -> "tuple[PerformerView, State]":
        return await until(session, name, done, say)

    limit = asker.target.timeout_seconds
    try:
        return asker.ask(ask, timeout_seconds=limit)
    except HourglassError as error:
        if error.code is not Code.DEADLINE_EXCEEDED or not last:
            raise
        raise HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"still waiting after {shown(limit)}: {last[0]}",
            hint=f"see what it waits for: {asker.host.program.command(f'explain {name}')}",
        ) from error
    finally:
        progress.end()


def code_after(asker: Asker, name: str, *, wait: bool, done: Any = None) -> int:
    """Return the exit code of a change: 0 at once, or after waiting that of what came of it."""
    if not wait:
        return 0
    view, state = wait_until(asker, name, done) if done else wait_until_ready(asker, name)
    words = "is Ready" if state.outcome is Outcome.READY else "has failed"
    print(f"performer/{view.manifest['metadata']['name']} {words} ({state})")
    return state.outcome.value
