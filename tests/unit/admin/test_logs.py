"""What logs leave out."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
from hourglass_common.runtime.logs import configure_logs, get_logger
configure_logs("info", "{form}")
def fail(environment):
    raise RuntimeError("went wrong")
try:
    fail({{"PASSWORD": "canary-7f3a"}})
except RuntimeError as error:
    get_logger("test").error("call failed", exc_info=error)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_names_the_place_and_not_the_values_that_were_there(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(form=form)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "went wrong" in done.stderr
    assert "TypeError" not in done.stderr
    assert "fail" in done.stderr
    assert "canary-7f3a" not in done.stderr


ODD = """
from hourglass_common.runtime.logs import configure_logs, get_logger
configure_logs()
get_logger("test").info("odd", wide=2**70, half="\\ud800", raw=b"x", keys={1: 2})
get_logger("test").debug("not asked for")
"""


def test_what_json_can_hardly_hold_is_one_line_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ODD], capture_output=True, text=True, check=True, timeout=30
    )
    (line,) = done.stderr.splitlines()
    found = json.loads(line)
    assert (found["event"], found["logger"], found["level"]) == ("odd", "test", "info")
    assert (found["wide"], found["raw"], found["keys"]) == (2**70, "b'x'", {"1": 2})
