"""Printing what a command was answered, in the form that ``-o`` names."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hourglass_cli.session import Asker
from hourglass_cli.show.output import Format
from hourglass_cli.terminal import Paint, paint_for

if TYPE_CHECKING:
    from hourglass_services.control.port import PerformerView


def paint(asker: Asker) -> Paint:
    """Return the paint for stdout."""
    return paint_for(sys.stdout, os.environ, no_color=asker.no_color)


def print_view(asker: Asker, view: "PerformerView", form: Format) -> None:
    """Print one performer."""
    from hourglass_cli.show.output import one

    print(one(view.manifest, form, asker.host.now()))


def print_views(asker: Asker, views: "Sequence[PerformerView]", form: Format) -> None:
    """Print several performers."""
    from hourglass_cli.show.output import listing

    print(listing([view.manifest for view in views], form, asker.host.now()))


def print_done(asker: Asker, view: "PerformerView", form: Format, what: str) -> None:
    """Say what was done to a performer: in words, or the object as it is now."""
    if form in (Format.TABLE, Format.WIDE):
        print(f"performer/{view.manifest['metadata']['name']} {what}")
    else:
        print_view(asker, view, form)


def print_records(
    records: Any, form: Format, text: Callable[[], str], names: Sequence[str]
) -> None:
    """Print values of the port: ``text`` for people, records for programs, or ``names``."""
    from hourglass_cli.show.output import document
    from hourglass_cli.show.records import record

    match form:
        case Format.TABLE | Format.WIDE:
            print(text())
        case Format.NAME:
            print("\n".join(names))
        case _:
            print(document(record(records), form))
