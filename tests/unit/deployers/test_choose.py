"""Where a deployment by RPC goes."""

from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.deployers.choose import place_for
from hourglass_executor.deployers.deployment import Mode

from tests.support.executor_values import AVS, settings

CLUSTER = {"namespace": "n", "inCluster": True}
MIXED: dict[str, Any] = {"allowMixedModes": True, "docker": {}, "kubernetes": CLUSTER}
ONLY: dict[Mode, dict[str, Any]] = {
    Mode.DOCKER: {"avsPerformers": [], "processes": {}, "docker": {}},
    Mode.KUBERNETES: {"avsPerformers": [], "processes": {}, "kubernetes": CLUSTER},
    Mode.PROCESS: {"avsPerformers": []},
}


@pytest.mark.parametrize(
    ("registry", "current", "found"),
    [
        ("r.test/demo", None, (Mode.PROCESS, "r.test/demo")),
        ("r.test/demo", Mode.DOCKER, (Mode.DOCKER, "r.test/demo")),
        ("docker://r.test/demo", None, (Mode.DOCKER, "r.test/demo")),
        ("kubernetes://r.test/demo", Mode.PROCESS, (Mode.KUBERNETES, "r.test/demo")),
        ("process://demo-performer", Mode.KUBERNETES, (Mode.PROCESS, "demo-performer")),
        ("docker://", None, (Mode.DOCKER, "")),
        ("https://r.test/demo", None, (Mode.PROCESS, "https://r.test/demo")),
    ],
)
def test_with_mixed_modes_a_word_before_the_registry_names_one_and_else_an_avs_stays_put(
    tmp_path: Path, registry: str, current: Mode | None, found: tuple[Mode, str]
) -> None:
    assert place_for(AVS, registry, current, settings(tmp_path, **MIXED)) == found


@pytest.mark.parametrize(("mode", "given"), ONLY.items())
def test_with_one_mode_only_its_own_word_is_taken(
    tmp_path: Path, mode: Mode, given: dict[str, Any]
) -> None:
    one = settings(tmp_path, **given)
    assert place_for(AVS, "r.test/demo", None, one) == (mode, "r.test/demo")
    assert place_for(AVS, f"{mode.value}://r.test/demo", None, one) == (mode, "r.test/demo")
    others = set(Mode) - {mode} - ({Mode.PROCESS} if mode is Mode.KUBERNETES else set())
    for other in others:
        with pytest.raises(HourglassError, match="mixed deployment modes not supported") as caught:
            place_for(AVS, f"{other.value}://r.test/demo", None, one)
        assert caught.value.code is Code.FAILED_PRECONDITION
        assert "allowMixedModes" in caught.value.hint


def test_an_image_of_the_dev_cluster_that_is_a_command_keeps_its_name(tmp_path: Path) -> None:
    cluster = settings(tmp_path, **ONLY[Mode.KUBERNETES])
    image = "process:///usr/bin/performer"
    assert place_for(AVS, image, None, cluster) == (Mode.KUBERNETES, image)
