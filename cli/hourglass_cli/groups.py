"""A group of commands whose help is there at once."""

from typing import Any

import typer.core


class Group(typer.core.TyperGroup):
    """As typer's, but nothing is imported to find out that ``--help`` was not given.

    Typer converts the value of every option with pydantic, also that of a group's own ``--help``:
    a third of the time that ``hourglass performer --help`` may take.
    """

    def get_help_option(self, ctx: Any) -> Any:
        option: Any = super().get_help_option(ctx)
        if option is not None:
            option.process_value = _process(option)
        return option


def _process(option: Any) -> Any:
    def process(ctx: Any, value: Any) -> Any:
        return option.callback(ctx, option, bool(value))

    return process
