"""How performers are printed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hourglass_cli.payload import shown
from hourglass_cli.show.output import Format, age, listing, one

NOW = datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
PERFORMER: dict[str, Any] = {
    "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
    "kind": "Performer",
    "metadata": {
        "name": "demo",
        "namespace": "default",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {"avsAddress": "0xabc", "image": "demo-performer:v1", "replicas": 2},
    "status": {"phase": "Running", "readyReplicas": 1, "grpcEndpoint": "demo:9090"},
}


def test_a_table_has_a_line_for_each_performer() -> None:
    header, line = listing([PERFORMER], Format.TABLE, NOW).splitlines()
    assert header.split() == [
        *("NAMESPACE", "NAME", "AVS", "IMAGE", "VERSION"),
        *("PHASE", "READY", "ENDPOINT", "AGE"),
    ]
    expected = ["default", "demo", "0xabc", "demo-performer:v1", "Running", "1/2", "demo:9090"]
    assert line.split() == [*expected, "90s"]


def test_an_empty_table_says_so() -> None:
    assert listing([], Format.TABLE, NOW) == "No performers found."


def test_programs_get_a_list_in_json_and_yaml() -> None:
    assert json.loads(listing([PERFORMER], Format.JSON, NOW))["items"] == [PERFORMER]
    assert yaml.safe_load(listing([], Format.YAML, NOW))["items"] == []
    assert yaml.safe_load(one(PERFORMER, Format.YAML, NOW)) == PERFORMER
    assert listing([PERFORMER], Format.NAME, NOW) == "performer/demo"


@pytest.mark.parametrize(
    ("created", "text"),
    [
        ("2026-01-01T00:01:30Z", "0s"),
        ("2025-12-31T23:00:00Z", "61m"),
        ("2025-12-31T00:00:00Z", "24h"),
        ("2025-12-20T00:00:00Z", "12d"),
        ("", "<unknown>"),
    ],
)
def test_ages_are_short(created: str, text: str) -> None:
    assert age(created, NOW) == text


def test_results_are_text_where_they_are_printable() -> None:
    assert shown(b"0x10") == "0x10"
    assert shown(b"\x10") == "0x10"
    assert shown(b"") == "0x"
