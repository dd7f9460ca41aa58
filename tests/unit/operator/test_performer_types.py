"""The types of the custom resource, and the schema made from them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.domain.performer import PerformerSpec, parse_performer
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.domain.schema import parse, to_json

from tests.support.simulated_cluster import performer_manifest

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
SPEC = performer_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def fields_of(schema: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema in ``schema`` with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields_of(inner, f"{path}.{name}")
    if "items" in schema:
        yield from fields_of(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields_of(schema["additionalProperties"], f"{path}.*")


def test_every_field_is_described() -> None:
    named = [(path, s) for path, s in fields_of(SPEC) if not path.endswith(("[]", "*"))]
    assert [path for path, schema in named if not schema.get("description")] == []


def test_every_text_and_list_of_a_spec_is_bounded() -> None:
    bounds = {"string": "maxLength", "array": "maxItems"}
    unbounded = [
        path
        for path, schema in fields_of(SPEC)
        if schema.get("type") in bounds
        and bounds[schema["type"]] not in schema
        and "enum" not in schema
    ]
    assert unbounded == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_survives_reading_and_writing(path: Path) -> None:
    spec = yaml.safe_load(path.read_text())["spec"]
    once = parse(PerformerSpec, spec, "spec")
    assert parse(PerformerSpec, to_json(once), "spec") == once
    assert to_json(once).keys() <= spec.keys()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"image": None}, "spec.image: required"),
        ({"replicas": "two"}, "spec.replicas: expected int, not 'two'"),
        ({"config": []}, "spec.config: expected an object, not list"),
        ({"config": {"args": "x"}}, "spec.config.args: expected a list"),
        ({"config": {"environmentFrom": [{"name": 1}]}}, r"spec.config.environmentFrom\[0\].name"),
    ],
    ids=str,
)
def test_what_can_not_be_read_is_named(spec: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_performer(performer_manifest(**spec))


def test_the_scale_subresource_is_wired() -> None:
    (version,) = performer_crd()["spec"]["versions"]
    assert version["subresources"]["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    columns = [c["name"] for c in version["additionalPrinterColumns"] if not c.get("priority")]
    assert columns == ["AVS", "Image", "Version", "Phase", "Endpoint", "Age"]
