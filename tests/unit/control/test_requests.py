"""Requests remembered on the object that they changed."""

from typing import Any

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_operator.control.requests import (
    KEPT,
    REQUESTS,
    digest_of,
    is_repeat,
    remembered,
)


def manifest(notes: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"annotations": notes}}


def test_a_request_is_known_by_its_id_and_its_content() -> None:
    found = manifest(remembered(None, "r1", digest_of({"scale": 2})))
    assert is_repeat(found, "r1", digest_of({"scale": 2}))
    assert not is_repeat(found, "r2", digest_of({"scale": 2}))
    assert not is_repeat(manifest({}), "r1", digest_of({"scale": 2}))
    with pytest.raises(HourglassError) as caught:
        is_repeat(found, "r1", digest_of({"scale": 3}))
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_a_request_without_an_id_is_never_a_repeat_and_leaves_no_trace() -> None:
    assert remembered(manifest({REQUESTS: "r1=x"}), "", "y") == {}
    assert not is_repeat(manifest({REQUESTS: "=y"}), "", "y")


def test_the_last_ones_are_kept_newest_first() -> None:
    notes: dict[str, str] = {}
    for number in range(KEPT + 3):
        notes = remembered(manifest(notes), f"r{number}", "d")
    kept = [entry.partition("=")[0] for entry in notes[REQUESTS].split()]
    assert kept == [f"r{number}" for number in range(KEPT + 2, 2, -1)]
    assert len(notes[REQUESTS]) < 1024


def test_an_annotation_that_somebody_wrote_by_hand_does_no_harm() -> None:
    assert not is_repeat(manifest({REQUESTS: "== garbage =x y="}), "r1", "d")
