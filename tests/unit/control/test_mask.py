"""Field masks: what may be named, and the patch that comes of it."""

from typing import Any

import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.mask import (
    WRITABLE,
    keep,
    patch_of,
    patched,
    path_text,
    read_paths,
    update_paths,
)
from hourglass_services.control.port import Masked, Path

CURRENT: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"team": "red", "keep": "1"}},
    "spec": {
        "image": "demo:1",
        "replicas": 2,
        "config": {"environment": {"A": "1", "B": "2"}, "args": ["x", "y"]},
    },
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("spec.image", ("spec", "image")),
        ("spec.config.grpc_port", ("spec", "config", "grpcPort")),
        ("spec.config.grpcPort", ("spec", "config", "grpcPort")),
        ("labels", ("metadata", "labels")),
        ("labels.team", ("metadata", "labels", "team")),
        ("labels.`a.b/c`", ("metadata", "labels", "a.b/c")),
        ("spec.config.environment.A_B", ("spec", "config", "environment", "A_B")),
        ("spec.config.args", ("spec", "config", "args")),
        ("spec.scheduling.affinity.x", ("spec", "scheduling", "affinity", "x")),
        ("spec", ("spec",)),
    ],
)
def test_a_path_leads_into_the_manifest_and_back(text: str, path: Path) -> None:
    assert update_paths([text]) == (path,)
    assert update_paths([path_text(path)]) == (path,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spec.imagee", "did you mean image?"),
        ("", "not a path of fields"),
        ("spec..image", "not a path of fields"),
        ("spec.", "not a path of fields"),
        ("labels.`a", "a backtick is not closed"),
        ("status.phase", "can not be changed"),
        ("name", "can not be changed"),
        ("endpoints", "can not be changed"),
        ("spec.image.more", "has no fields of its own"),
        ("labels.a.b", "has no fields of its own"),
        ("spec.config.environment_from.name", "a list is changed as a whole"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(text: str, words: str) -> None:
    with pytest.raises(HourglassError) as caught:
        update_paths([text])
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.violations[0].field == "update_mask"
    assert words in caught.value.message


def test_a_star_means_all_and_stands_alone() -> None:
    assert update_paths(["*"]) == WRITABLE
    with pytest.raises(HourglassError):
        update_paths(["*", "spec.image"])


@pytest.mark.parametrize(
    ("wanted", "paths", "patch"),
    [
        ({"spec": {"image": "demo:2"}}, (("spec", "image"),), {"spec": {"image": "demo:2"}}),
        ({"spec": {"image": "demo:1"}}, (("spec", "image"),), {}),
        ({}, (("spec", "image"),), {"spec": {"image": None}}),
        ({}, (("spec", "version"),), {}),
        (
            {"spec": {"config": {"environment": {"A": "9"}}}},
            (("spec", "config", "environment"),),
            {"spec": {"config": {"environment": {"A": "9", "B": None}}}},
        ),
        (
            {"spec": {"config": {"environment": {"A": "9"}}}},
            (("spec", "config", "environment", "A"), ("spec", "config", "environment", "C")),
            {"spec": {"config": {"environment": {"A": "9"}}}},
        ),
        (
            {"spec": {"config": {"args": ["x"]}}},
            (("spec", "config", "args"),),
            {"spec": {"config": {"args": ["x"]}}},
        ),
        (
            {"spec": {"image": "demo:2"}, "metadata": {"labels": {"team": "blue"}}},
            (),
            {"spec": {"image": "demo:2"}, "metadata": {"labels": {"team": "blue"}}},
        ),
        ({"spec": {"image": "demo:1", "replicas": 2}}, (), {}),
        (
            {"spec": {"image": "demo:2"}},
            WRITABLE,
            {
                "metadata": {"labels": None},
                "spec": {"image": "demo:2", "replicas": None, "config": None},
            },
        ),
    ],
)
def test_a_patch_changes_what_is_named_and_no_more(
    wanted: dict[str, Any], paths: tuple[Path, ...], patch: dict[str, Any]
) -> None:
    assert patch_of(CURRENT, Masked(wanted, paths)) == patch
    after = patched(CURRENT, patch)
    assert patch_of(after, Masked(wanted, paths)) == {}


def test_a_patch_leaves_what_it_was_made_from_as_it_was() -> None:
    before = str(CURRENT)
    patched(CURRENT, {"spec": {"config": {"environment": {"A": None}}}})
    assert str(CURRENT) == before


def test_what_a_read_mask_does_not_name_is_cleared() -> None:
    message = control_pb2.Performer(
        name="a",
        uid="u",
        labels={"x": "y"},
        spec=control_pb2.PerformerSpec(
            image="i", version="v", config=control_pb2.PerformerConfig(args=["a"])
        ),
    )
    keep(message, read_paths(["labels", "spec.image", "spec.config"]))
    spec = control_pb2.PerformerSpec(image="i", config=control_pb2.PerformerConfig(args=["a"]))
    assert message == control_pb2.Performer(labels={"x": "y"}, spec=spec)


@pytest.mark.parametrize("text", ["labels.team", "status.conditions.type", "nothing", "spec.x"])
def test_a_read_mask_reads_lists_and_maps_as_a_whole(text: str) -> None:
    with pytest.raises(HourglassError) as caught:
        read_paths([text])
    assert caught.value.violations[0].field == "read_mask"
