"""PerformerControl's messages and manifests, into each other and back."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import PerformerSpec
from hourglass_common.domain.performer_status import PerformerStatus
from hourglass_common.domain.schema import object_schema
from hourglass_services.control.codec import (
    event_from_proto,
    event_to_proto,
    performer_from_proto,
    performer_to_proto,
    spec_from_json,
    spec_to_json,
)
from hourglass_services.control.port import EventKind, PerformerView, WatchEvent
from hypothesis import given, settings
from hypothesis import strategies as st

words = st.text("abcxyz-/.:09", min_size=1, max_size=12)
maps = st.dictionaries(words, words, min_size=1, max_size=3)
json_values = st.recursive(
    st.booleans() | st.integers(-(2**50), 2**50) | words | st.floats(0.1, 0.9),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(words, inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with at least one of the fields; what is empty is not on the wire."""
    return st.fixed_dictionaries({}, optional=fields).filter(bool)


numbers = st.integers(0, 2**31 - 1)
shares = numbers | st.just("25%")
objects = st.dictionaries(words, json_values, min_size=1, max_size=2)
key_selectors = st.fixed_dictionaries({"name": words, "key": words})
environment_from = st.fixed_dictionaries(
    {
        "name": words,
        "valueFrom": st.one_of(
            st.fixed_dictionaries({"secretKeyRef": key_selectors}),
            st.fixed_dictionaries({"configMapKeyRef": key_selectors}),
        ),
    }
)
specs = some(
    avsAddress=words,
    image=words,
    imagePullPolicy=words,
    version=words,
    replicas=st.integers(0, 1000),
    imagePullSecrets=st.lists(st.fixed_dictionaries({"name": words}), min_size=1, max_size=2),
    config=some(
        grpcPort=st.integers(0, 65535),
        environment=maps,
        environmentFrom=st.lists(environment_from, min_size=1, max_size=2),
        args=st.lists(words, min_size=1),
        command=st.lists(words, min_size=1),
        serviceAccountName=words,
    ),
    resources=some(
        requests=maps,
        limits=maps,
        claims=st.lists(st.fixed_dictionaries({"name": words}), min_size=1, max_size=2),
    ),
    scheduling=some(
        nodeSelector=maps,
        affinity=st.dictionaries(words, json_values, min_size=1, max_size=3),
        runtimeClass=words,
        priorityClassName=words,
        tolerations=st.lists(
            some(
                key=words,
                operator=words,
                value=words,
                effect=words,
                tolerationSeconds=st.integers(-1, 2**62),
            ),
            min_size=1,
            max_size=2,
        ),
    ),
    hardwareRequirements=some(
        gpuType=words,
        gpuCount=st.integers(1, 8),
        teeRequired=st.just(True),
        teeType=words,
        customLabels=maps,
    ),
    suspend=st.booleans(),
    fence=st.booleans(),
    strategy=some(
        type=words,
        rollingUpdate=some(maxSurge=shares, maxUnavailable=shares),
        blueGreen=some(
            autoPromoteAfterSeconds=numbers,
            abortAfterSeconds=numbers,
            gate=some(
                smokeTask=some(
                    payload=words, expectedOutput=words, encoding=words, timeoutSeconds=numbers
                )
            ),
        ),
    ),
    rollout=some(
        decision=some(action=words, revision=words, decidedForHash=words),
        keepPreviousSeconds=numbers,
        drainTimeoutSeconds=numbers,
        progressDeadlineSeconds=numbers,
        onDeadline=words,
        revisionHistoryLimit=numbers,
    ),
    security=some(profile=words),
    network=some(
        ingressFrom=st.lists(objects, min_size=1, max_size=2),
        egress=st.lists(objects, min_size=1, max_size=2),
    ),
    health=some(
        service=words,
        periodSeconds=numbers,
        timeoutSeconds=numbers,
        failureThreshold=numbers,
        startupSeconds=numbers,
    ),
)
moments = st.integers(0, 4_000_000_000).map(
    lambda seconds: rfc3339(datetime.fromtimestamp(seconds, UTC))
)
statuses = some(
    phase=words,
    ready=st.just(True),
    podName=words,
    serviceName=words,
    stagedServiceName=words,
    grpcEndpoint=words,
    conditions=st.lists(
        some(
            type=words,
            status=words,
            observedGeneration=st.integers(1, 2**62),
            lastTransitionTime=moments,
            reason=words,
            message=words,
        ),
        min_size=1,
        max_size=2,
    ),
    lastUpgrade=moments,
    readyTime=moments,
    observedGeneration=st.integers(1, 2**62),
    replicas=st.integers(1, 9),
    readyReplicas=st.integers(1, 9),
    updatedReplicas=st.integers(1, 9),
    selector=words,
    revision=words,
    inServiceRevision=words,
    revisions=st.lists(
        some(
            hash=words,
            role=words,
            image=words,
            replicas=st.integers(1, 9),
            readyReplicas=st.integers(1, 9),
            inServiceSince=moments,
            rejected=words,
            gate=words,
        ),
        min_size=1,
        max_size=2,
    ),
    intent=some(replicas=numbers, suspend=st.booleans(), fence=st.booleans()),
    decision=some(action=words, revision=words, decidedForHash=words, outcome=words, message=words),
    receipts=st.lists(
        st.fixed_dictionaries(
            {"from": words},
            optional={
                "action": words,
                "who": words,
                "when": moments,
                "to": words,
                "inFlight": words,
                "lost": words,
                "drained": moments,
            },
        ),
        min_size=1,
        max_size=2,
    ),
)


@settings(max_examples=150)
@given(specs)
def test_a_spec_comes_back_from_the_wire_as_it_was(spec: dict[str, Any]) -> None:
    wire = spec_from_json(spec).SerializeToString()
    back = spec_to_json(control_pb2.PerformerSpec.FromString(wire))
    assert back == spec
    assert repr(sorted_keys(back)) == repr(sorted_keys(spec))  # 3 stays 3 and is not 3.0


def fields_of(cls: type) -> dict[str, Any]:
    """Return the field names of a dataclass as JSON has them, nested."""
    found: dict[str, Any] = {}
    for name, schema in object_schema(cls)["properties"].items():
        below = schema.get("items", schema)
        found[name] = sorted(below["properties"]) if "properties" in below else None
    return found


@pytest.mark.parametrize(
    ("cls", "message"),
    [(PerformerSpec, control_pb2.PerformerSpec), (PerformerStatus, control_pb2.PerformerStatus)],
)
def test_the_message_has_every_field_of_the_resource_and_no_other(
    cls: type, message: type[Message]
) -> None:
    free = ("affinity", "ingressFrom", "egress", "rollingUpdate")
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        below = field.message_type
        nested = None
        if below is not None and below.file is message.DESCRIPTOR.file:
            nested = sorted(f.json_name for f in below.fields)
        is_map = below is not None and below.GetOptions().map_entry
        found[field.json_name] = None if is_map else nested
    wanted = fields_of(cls)
    assert {k: v for k, v in found.items() if k not in free} == {
        k: v for k, v in wanted.items() if k not in free
    }


@settings(max_examples=50)
@given(specs, statuses, maps, st.lists(st.sampled_from(list(Role)), max_size=3))
def test_a_performer_comes_back_from_the_wire_as_it_was(
    spec: dict[str, Any], status: dict[str, Any], labels: dict[str, str], roles: list[Role]
) -> None:
    view = PerformerView(
        {
            "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
            "kind": "Performer",
            "metadata": {
                "namespace": "ns",
                "name": "a",
                "uid": "u",
                "resourceVersion": "7",
                "generation": 3,
                "labels": labels,
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "deletionTimestamp": "2026-01-02T03:04:06Z",
            },
            "spec": spec,
            "status": status,
        },
        tuple(
            Endpoint(
                performer_id="ns/a", revision="r", instance=f"a-{n}", address="[::1]:1", role=role
            )
            for n, role in enumerate(roles)
        ),
    )
    assert performer_from_proto(performer_to_proto(view)) == view


def test_the_json_of_the_message_is_the_spec_of_the_resource() -> None:
    spec = {"avsAddress": "0xa", "image": "i", "config": {"grpcPort": 9, "args": ["x"]}}
    assert json_format.MessageToDict(spec_from_json(spec)) == spec


def test_zero_replicas_are_not_an_unset_number() -> None:
    assert spec_to_json(spec_from_json({"replicas": 0})) == {"replicas": 0}
    assert spec_to_json(spec_from_json({})) == {}


def test_quantities_written_as_numbers_are_shown_as_text() -> None:
    message = spec_from_json({"resources": {"requests": {"cpu": 2}}})
    assert dict(message.resources.requests) == {"cpu": "2"}


def test_keys_from_a_newer_resource_do_not_hide_the_object() -> None:
    assert spec_from_json({"image": "i", "fromTheFuture": {"a": 1}}).image == "i"


def test_markers_carry_no_performer_and_unknown_kinds_are_skipped() -> None:
    marker = WatchEvent(EventKind.SNAPSHOT_DONE, None, "1.2.3")
    assert event_from_proto(event_to_proto(marker)) == marker
    unknown = control_pb2.WatchPerformersResponse()
    assert event_from_proto(unknown) is None


def sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_no_form_for_is_refused(number: float) -> None:
    spec = control_pb2.PerformerSpec()
    spec.scheduling.affinity.fields["weight"].number_value = number
    with pytest.raises(HourglassError) as caught:
        spec_to_json(spec)
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("number", [3, -2, 0.5, 1e308])
def test_whole_numbers_of_free_form_values_are_written_without_a_point(number: float) -> None:
    spec = control_pb2.PerformerSpec()
    spec.scheduling.affinity.fields["weight"].number_value = number
    found = spec_to_json(spec)["scheduling"]["affinity"]["weight"]
    assert (found, type(found)) == (number, type(number))
    assert orjson.loads(orjson.dumps(found)) == number
