"""The configuration of the how-to is one that an executor takes, with its options too."""

import re
from pathlib import Path

import yaml

from tests.support.executor_values import settings

PAGE = (Path(__file__).parents[3] / "docs/how-to/run-performers-in-docker.md").read_text()
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    given = settings(tmp_path, **{"processes": {}, **yaml.safe_load(EXAMPLE)})
    assert given.uses_docker
    assert [one.deployment_mode for one in given.avs_performers] == ["docker"]


def test_its_options_are_options(tmp_path: Path) -> None:
    with_options = EXAMPLE.replace("docker: {} ", "docker: ").replace("\n#  ", "\n  ")
    given = settings(tmp_path, **{"processes": {}, **yaml.safe_load(with_options)}).docker
    assert given is not None
    assert (given.memory, given.cpus, given.user) == (512 << 20, 0.5, "1000:1000")
    assert (given.read_only_root, given.stop_on_exit) == (True, False)
