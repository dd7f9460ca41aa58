"""Colours and lines that are written over: on a terminal, and nowhere else."""

import io

import pytest
from hourglass_cli.terminal import Paint, Progress, Screen, Tone, paint_for


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class File(io.StringIO):
    encoding = "utf-8"


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("stream", "environ", "no_color", "coloured"),
    [
        (Terminal(), {}, False, True),
        (Terminal(), {"NO_COLOR": "1"}, False, False),
        (Terminal(), {"NO_COLOR": ""}, False, True),
        (Terminal(), {"TERM": "dumb"}, False, False),
        (Terminal(), {}, True, False),
        (File(), {}, False, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, environ: dict[str, str], no_color: bool, coloured: bool
) -> None:
    assert paint_for(stream, environ, no_color=no_color).colours is coloured


def test_a_stream_that_is_not_utf_8_gets_ascii() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    assert paint_for(Ascii(), {}).symbol("✔", "+") == "+"
    assert paint_for(File(), {}).symbol("✔", "+") == "✔"
    assert Paint(colours=True)("x", Tone.BAD) == "\x1b[31mx\x1b[0m"


def test_progress_in_a_file_is_a_line_for_each_change() -> None:
    file = File()
    progress = Progress(file)
    for text in ("a", "a", "b"):
        progress.say(text)
    progress.end()
    assert file.getvalue() == "a\nb\n"


def test_progress_on_a_terminal_is_one_line_that_is_gone_in_the_end() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    progress.say("a")
    progress.say("b")
    progress.end()
    assert terminal.getvalue() == "\r\x1b[2Ka\r\x1b[2Kb\r\x1b[2K"


def test_a_screen_is_drawn_in_place_on_a_terminal_and_below_in_a_file() -> None:
    terminal, file = Terminal(), File()
    for stream in (terminal, file):
        screen = Screen(stream)
        for text in ("one\ntwo", "one\ntwo", "three"):
            screen.show(text)
    assert terminal.getvalue() == "one\ntwo\n\x1b[2A\x1b[Jthree\n"
    assert file.getvalue() == "one\ntwo\n\nthree\n"


def test_what_does_not_fit_on_the_screen_is_counted_instead_of_scrolled_away() -> None:
    terminal = Terminal()
    Screen(terminal).show("\n".join(f"line {number}" for number in range(40)))
    *shown, last = terminal.getvalue().splitlines()
    assert shown == [f"line {number}" for number in range(22)]
    assert last == "... 18 more lines: a larger terminal shows them"
