"""The command ``hourglass``. Nothing but typer is imported until a command runs.

Exit codes: 0 done, 1 failed (one line on stderr says what, and what to do next), 2 wrong usage,
124 out of time, 130 interrupted.
"""

import sys

import typer
from typer._click.exceptions import UsageError  # typer exports only what it derives from

from .commands import performer, programs, task

EXIT_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="hourglass",
    help="Run gRPC task performers on Kubernetes, in docker or as plain processes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
programs.add_to(app)
app.add_typer(task.app, name="task")
app.add_typer(performer.app, name="performer")


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors are words on stderr, no traceback."""
    try:
        result = app(arguments, standalone_mode=False, prog_name="hourglass")
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
