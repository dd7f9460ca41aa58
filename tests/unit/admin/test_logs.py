"""What logs leave out."""

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
    assert "fail" in done.stderr
    assert "canary-7f3a" not in done.stderr
