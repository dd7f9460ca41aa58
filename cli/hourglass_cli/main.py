"""The commands ``hourglass`` and ``kubectl-hourglass``. Nothing but typer is imported until one
runs.

Exit codes: 0 done, 1 failed (one line on stderr says what, and what to do next), 2 wrong usage,
124 out of time, 130 interrupted.
"""

import sys
from typing import Any

import typer
from typer._click.exceptions import UsageError  # typer exports only what it derives from

from .commands import check, completion, executor, performer, programs, report, task
from .groups import Group
from .session import Host
from .target import Program

EXIT_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_INTERRUPTED = 130

_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "cls": Group,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}
app = typer.Typer(
    name="hourglass",
    help="Run gRPC task performers on Kubernetes, in docker or as plain processes.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 124 out of time, 130 interrupted.",
    **_SETTINGS,
)
programs.add_to(app)
app.add_typer(executor.app, name="executor")
app.add_typer(task.app, name="task")
app.add_typer(performer.app, name="performer")

kubectl_app = typer.Typer(
    name="kubectl-hourglass",
    help=f"{performer.HELP} Asked is the Kubernetes API, unless --control is given.",
    epilog=performer.EPILOG,
    **_SETTINGS,
)
performer.add_commands(kubectl_app)

for each in (app, kubectl_app):
    each.command("check")(check.check)
    each.command("report")(report.report)
completion.add_to(app)
completion.add_to(kubectl_app, shells=False)


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def kubectl_main() -> None:
    """As ``main``, for ``kubectl hourglass``."""
    sys.exit(run(sys.argv[1:], Host(Program.KUBECTL)))


def kubectl_complete_main() -> None:
    """Answer kubectl, which runs this to complete ``kubectl hourglass``."""
    sys.exit(run(["__complete", "--", *sys.argv[1:]], Host(Program.KUBECTL)))


def run(arguments: list[str], host: Host | None = None) -> int:
    """Run one command line and return its exit code; errors are words on stderr, no traceback."""
    host = host or Host()
    tree = kubectl_app if host.program is Program.KUBECTL else app
    try:
        result = tree(
            list(map(_joined, arguments)),
            standalone_mode=False,
            prog_name=host.program.value,
            obj=host,
        )
    except UsageError as error:
        error.show()
        return error.exit_code
    except typer.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left: nothing to say, nobody to say it to
        return EXIT_FAILED
    except Exception as error:
        return _failed(error)
    return result if isinstance(result, int) else 0


def _joined(argument: str) -> str:
    """Return ``-n=x`` as ``-nx``: kubectl takes both, and its users write both."""
    if len(argument) > 3 and argument[0] == "-" and argument[1].isalpha() and argument[2] == "=":
        return argument[:2] + argument[3:]
    return argument


def _failed(error: Exception) -> int:
    from hourglass_common.domain.errors import Code

    from .failures import first_of_ours

    found = first_of_ours(error)
    if found is None:
        raise error
    print(f"hourglass: {found.message}", file=sys.stderr)
    if found.hint:
        print(f"  {found.hint}", file=sys.stderr)
    return EXIT_TIMEOUT if found.code is Code.DEADLINE_EXCEEDED else EXIT_FAILED


if __name__ == "__main__":
    main()
