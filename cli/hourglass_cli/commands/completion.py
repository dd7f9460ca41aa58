"""``hourglass completion``: scripts for shells, and the hidden command that they ask."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from hourglass_cli.target import Program


class Shell(StrEnum):
    """The shells that have a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def add_to(app: typer.Typer, *, shells: bool = True) -> None:
    """Register the commands; kubectl has its own way to find the completion."""
    if shells:
        app.command("completion")(completion)
    app.command(
        "__complete",
        hidden=True,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(complete)


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print the completion script of a shell.

    For this session: source <(hourglass completion bash). For fish: hourglass completion fish |
    source. kubectl finds the completion of `kubectl hourglass` by itself.
    """
    print(_SCRIPTS[shell], end="")


def complete(context: typer.Context) -> None:
    """Print what may follow the given words, the last of which is being written.

    The form is kubectl's: one on each line, a description after a tab, and a last line that says
    :4 where file names do not fit, :0 where they do.
    """
    from hourglass_cli.words import completions

    words = list(context.args) or [""]
    program = context.obj.program if context.obj is not None else Program.HOURGLASS
    root: Any = context.find_root().command
    found = completions(root, program.value, words, context.obj)
    for word, about in found.words:
        print(f"{word}\t{about}" if about else word)
    print(":0" if found.files else ":4")


_SCRIPTS = {
    Shell.BASH: """\
_hourglass() {
    local line words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS= read -r line; do
        case "$line" in
            :0) compopt -o default 2>/dev/null ;;
            :*) ;;
            *) COMPREPLY+=("${line%%$'\\t'*}") ;;
        esac
    done < <(hourglass __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _hourglass hourglass
""",
    Shell.ZSH: """\
#compdef hourglass
_hourglass() {
    local line files=
    local -a found
    for line in "${(@f)$(hourglass __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case "$line" in
            :0) files=1 ;;
            :*) ;;
            *) found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    _describe hourglass found
    [[ -n "$files" ]] && _files
}
compdef _hourglass hourglass
""",
    Shell.FISH: """\
function __hourglass_complete
    set -l words (commandline -opc) (commandline -ct)
    hourglass __complete -- $words[2..-1] 2>/dev/null | string match -rv '^:[0-9]+$'
end
complete -c hourglass -a '(__hourglass_complete)'
""",
}
