"""``hourglass performer lint``: manifests checked without a cluster."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LintFormat(StrEnum):
    """The values of ``-o``."""

    TEXT = "text"
    JSON = "json"


def lint(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Manifests in YAML or JSON; - is stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        LintFormat, typer.Option("--output", "-o", help="How to print.")
    ] = LintFormat.TEXT,
) -> int:
    """Check manifests without a cluster, by the rules of the API and in its words.

    Other kinds of objects are passed over. Exit code 1 if anything would be refused; warnings
    alone are 0.
    """
    from hourglass_cli.lint.report import as_json, as_text, check

    missing = [str(file) for file in files if str(file) != "-" and not file.is_file()]
    if missing:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}", param_hint="FILE")
    report = check(files)
    print(as_json(report) if output is LintFormat.JSON else as_text(report), end="")
    print(report.summary, file=sys.stderr)
    return 1 if report.errors else 0
