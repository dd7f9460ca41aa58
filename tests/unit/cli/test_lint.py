"""``hourglass performer lint``: what it finds without a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_cli.lint.findings import findings
from hourglass_cli.lint.report import Report, as_json, as_text, check

from tests.support.bad_specs import BAD_SPECS, SPEC, BadSpec

GOOD = {**SPEC, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
EXAMPLES = Path(__file__).parents[3] / "deploy/examples"


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
        "kind": "Performer",
        "metadata": {"name": "demo"},
        "spec": {**GOOD, **spec},
    }


def said(document: Any) -> list[tuple[str, str, str]]:
    return [(f.severity, f.field, f.text) for f in findings(document)]


def report_of(tmp_path: Path, text: str) -> Report:
    file = tmp_path / "performers.yaml"
    file.write_text(text)
    return check([file])


def lines(tmp_path: Path, text: str) -> list[str]:
    whole = as_text(report_of(tmp_path, text))
    return whole.replace(f"{tmp_path}/", "").splitlines()


def test_nothing_is_said_of_a_good_manifest() -> None:
    assert said(manifest()) == []


@pytest.mark.parametrize("bad", BAD_SPECS, ids=lambda bad: f"{bad.field}: {bad.text}"[-60:])
def test_what_the_api_refuses_is_a_violation_in_its_words(bad: BadSpec) -> None:
    found = [f for f in findings(bad.manifest()) if f.severity == "error"]
    assert [f.field for f in found] == [bad.field]
    assert bad.text in found[0].text


@pytest.mark.parametrize(
    ("document", "path", "near"),
    [
        (manifest(replica=2), "spec.replica", "; did you mean replicas?"),
        (manifest(config={"enviroment": {}}), "spec.config.enviroment", "; did you mean env"),
        (
            manifest(scheduling={"tolerations": [{"operator": "Exists", "efect": "x"}]}),
            "spec.scheduling.tolerations[0].efect",
            "; did you mean effect?",
        ),
        (
            manifest(scheduling={"affinity": {"nodeAfinity": {}}}),
            "spec.scheduling.affinity.nodeAfinity",
            "; did you mean nodeAffinity?",
        ),
        (manifest(zzz=1), "spec.zzz", ""),
        ({**manifest(), "specs": {}}, "specs", "; did you mean spec?"),
    ],
)
def test_an_unknown_field_is_a_violation_with_the_nearest_name(
    document: dict[str, Any], path: str, near: str
) -> None:
    ((severity, field, text),) = said(document)
    assert (severity, field) == ("error", path)
    assert text.startswith(f'unknown field "{path}"{near}')


def test_bad_metadata_hides_nothing_else() -> None:
    document = {**manifest(replicas=-1), "metadata": {"name": "A_b", "labels": {"a b": "c"}}}
    fields = [f.field for f in findings(document) if f.severity == "error"]
    assert fields == ["metadata.name", "metadata.labels", "spec.replicas"]


@pytest.mark.parametrize("metadata", [None, [], {}, {"name": 5}, {"labels": {"a": 1}}])
def test_metadata_that_is_none_is_a_violation(metadata: Any) -> None:
    found = [f for f in findings({**manifest(), "metadata": metadata}) if f.severity == "error"]
    assert found
    assert all(f.field.startswith("metadata") for f in found)


@pytest.mark.parametrize("spec", [None, [], "x", {"config": []}, {"image": 5, "replicas": "x"}])
def test_a_spec_of_any_shape_is_looked_at(spec: Any) -> None:
    assert [f for f in findings({**manifest(), "spec": spec}) if f.severity == "error"]


def test_another_version_is_a_violation() -> None:
    document = {**manifest(), "apiVersion": "hourglass.eigenlayer.io/v1"}
    ((_, field, text),) = said(document)
    assert (field, text) == ("apiVersion", "must be hourglass.eigenlayer.io/v1alpha1")


@pytest.mark.parametrize(
    ("spec", "field", "text"),
    [
        ({"replicas": 2}, "replicas", "undoes kubectl scale and autoscalers"),
        ({"replicas": 0}, "replicas", "undoes kubectl scale and autoscalers"),
        ({"suspend": False}, "suspend", "undoes what was done by hand"),
        ({"fence": True}, "fence", "undoes what was done by hand"),
        (
            {"rollout": {"decision": {"action": "Promote", "decidedForHash": "a"}}},
            "rollout.decision",
            "kubectl patch",
        ),
        ({"image": "demo"}, "image", "neither a tag nor a digest"),
        ({"image": "r.io:5000/demo"}, "image", "neither a tag nor a digest"),
        ({"image": "demo:latest"}, "image", "the tag latest"),
        ({"resources": {}}, "resources.requests", "no request for cpu and memory"),
        ({"resources": {"limits": {"cpu": 1}}}, "resources.requests", "no request for memory"),
        (
            {"hardwareRequirements": {"teeType": "sev"}},
            "hardwareRequirements.teeType",
            "a preference only",
        ),
        (
            {"hardwareRequirements": {"teeType": "nitro"}},
            "hardwareRequirements.teeType",
            "nitro is none of sgx, sev, tdx",
        ),
        ({"strategy": {"type": "BlueGreen"}}, "strategy.blueGreen", "promoted only by hand"),
        (
            {"config": {"environment": {"GRPC_PORT": "1"}}},
            "config.environment.GRPC_PORT",
            "use grpcPort 9090",
        ),
        (
            {
                "config": {
                    "environment": {"A": ""},
                    "environmentFrom": [
                        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                    ],
                }
            },
            "config.environmentFrom",
            "the last counts: A",
        ),
    ],
    ids=str,
)
def test_what_may_surprise_is_a_warning(spec: dict[str, Any], field: str, text: str) -> None:
    ((severity, found, words),) = said(manifest(**spec))
    assert (severity, found) == ("warning", f"spec.{field}")
    assert text in words


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_have_no_violations(path: Path) -> None:
    report = check([path])
    assert report.performers >= 1
    assert report.errors == 0, as_text(report)


def test_each_document_and_each_item_of_a_list_has_its_place(tmp_path: Path) -> None:
    bad = manifest(image="A:1")
    documents = [{"kind": "Secret"}, bad, {"kind": "List", "items": [manifest(), bad]}]
    found = lines(tmp_path, yaml.safe_dump_all(documents))
    assert [line.partition(" image")[0] for line in found] == [
        'performers.yaml:2: spec.image: Invalid value: "A:1":',
        'performers.yaml:3[1]: spec.image: Invalid value: "A:1":',
    ]


def test_json_has_the_same_and_the_performers_name(tmp_path: Path) -> None:
    report = report_of(tmp_path, yaml.safe_dump(manifest(image="demo")))
    assert yaml.safe_load(as_json(report)) == [
        {
            "file": str(tmp_path / "performers.yaml"),
            "document": "1",
            "name": "demo",
            "severity": "warning",
            "field": "spec.image",
            "message": "the image has neither a tag nor a digest: what runs may change without "
            "a new revision",
        }
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "performers.yaml:1: no YAML: "),
        ("a: 1\n---\nb: {c: 1, c: 2}\n", "performers.yaml:2: no YAML: the key 'c' is given twice"),
        ("", "there is no Performer"),
        ("kind: Secret\n", "there is no Performer"),
        ("- kind: Performer\n", "there is no Performer"),
    ],
)
def test_what_holds_no_performer_is_a_violation(tmp_path: Path, text: str, said: str) -> None:
    report = report_of(tmp_path, text)
    assert report.errors == 1
    assert said in as_text(report)


def test_values_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    text = yaml.safe_dump(manifest(config={"environment": {"K": "v"}}, version="V"))
    text = text.replace("K: v", "A: 2026-01-02").replace("version: V", "version: 2026-01-02")
    assert lines(tmp_path, text) == []
    text = text.replace("version: 2026-01-02", "version: 2.0")
    (line,) = lines(tmp_path, text)
    assert "spec.version in body must be of type string" in line
