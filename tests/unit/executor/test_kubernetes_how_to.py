"""The configurations of the how-to are ones that an executor takes."""

import re
from pathlib import Path

import pytest
import yaml
from hourglass_executor.rbac import control_rules, own_rules

from tests.support.executor_values import settings

PAGE = Path(__file__).parents[3] / "docs/how-to/run-performers-in-kubernetes.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_a_configuration(example: str, tmp_path: Path) -> None:
    given = settings(tmp_path, **yaml.safe_load(example))
    assert given.kubernetes is not None
    assert given.avs_performers


def test_every_right_is_in_the_table() -> None:
    text = PAGE.read_text()
    for rule in own_rules():
        verbs = ", ".join(f"`{verb}`" for verb in rule["verbs"])
        assert f"{verbs} on `{rule['resources'][0]}`" in text
    assert len(control_rules()) == 2
