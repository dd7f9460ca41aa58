"""What each method of PerformerControl asks for, and what of a request is written down."""

import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from hourglass_services.control.recorded import NOT_RECORDED, changes, secrets
from hourglass_services.control.rules import RULES
from hourglass_services.control.servicer import PERFORMER_CONTROL

from tests.support.control_rights import RIGHTS

READS = {
    "GetPerformer",
    "ListPerformers",
    "WatchPerformers",
    "ExplainPerformer",
    "ListRevisions",
    "GetLogs",
}


def rule(method: str) -> tuple[object, ...]:
    asked = RULES[f"{PERFORMER_CONTROL.full_name}/{method}"].asks
    request = GetMessageClass(PERFORMER_CONTROL.methods_by_name[method].input_type)
    given = {"namespace": "team-a"}
    if method != "ListPerformers":
        given["name"] = "demo"
    return asked(request(**given))


def test_every_method_is_in_the_table() -> None:
    assert {m.name for m in PERFORMER_CONTROL.methods} == set(RIGHTS)


@pytest.mark.parametrize("method", RIGHTS)
def test_a_method_asks_for_its_right_on_that_object_of_that_namespace(method: str) -> None:
    name = "" if method == "ListPerformers" else ' "demo"'
    assert [str(wish) for wish in rule(method)] == [
        f'{right}{name} in namespace "team-a"' for right in RIGHTS[method]
    ]


def test_no_namespace_is_default_for_one_object_and_all_for_many() -> None:
    def namespaces(method: str, request: object) -> set[str]:
        rule = RULES[f"{PERFORMER_CONTROL.full_name}/{method}"]
        return {wish.namespace for wish in rule.asks(request)}

    assert namespaces("GetPerformer", control_pb2.GetPerformerRequest(name="a")) == {"default"}
    assert namespaces("ListPerformers", control_pb2.ListPerformersRequest()) == {""}
    assert namespaces("WatchPerformers", control_pb2.WatchPerformersRequest()) == {""}


def test_what_changes_something_is_recorded_and_what_reads_is_not() -> None:
    recorded = {name.rpartition("/")[2] for name, rule in RULES.items() if rule.changes}
    assert recorded == set(RIGHTS) - READS


REQUEST = control_pb2.UpdatePerformerRequest(
    namespace="team-a",
    name="demo",
    performer=control_pb2.Performer(
        labels={"team": "canary-label"},
        spec=control_pb2.PerformerSpec(
            image="demo:2",
            fence=False,
            replicas=3,
            config=control_pb2.PerformerConfig(
                environment={"PASSWORD": "canary-env", "IMAGE": "demo:2"},
                args=["canary-arg"],
                command=["canary-command"],
            ),
            strategy=control_pb2.Strategy(
                type="BlueGreen",
                blue_green=control_pb2.BlueGreen(
                    gate=control_pb2.Gate(
                        smoke_task=control_pb2.SmokeTask(
                            payload="canary-payload", expected_output="canary-output"
                        )
                    )
                ),
            ),
            scheduling=control_pb2.SchedulingConfig(
                affinity=struct_pb2.Struct(
                    fields={"a": struct_pb2.Value(string_value="canary-struct")}
                )
            ),
        ),
    ),
    update_mask=FieldMask(paths=["spec.image", "labels.team"]),
    validate_only=True,
)


def test_a_record_has_the_values_that_can_be_no_secret_and_the_names_of_the_others() -> None:
    found = changes(REQUEST)
    assert found["performer.spec.image"] == "demo:2"
    assert found["performer.spec.replicas"] == 3
    assert found["performer.spec.fence"] is False
    assert found["performer.spec.strategy.type"] == "BlueGreen"
    assert found["update_mask"] == "spec.image,labels.team"
    assert found["validate_only"] is True
    assert found["performer.spec.config.environment[PASSWORD]"] == NOT_RECORDED
    assert found["performer.spec.config.args"] == "1 items"
    assert found["performer.spec.scheduling.affinity"] == NOT_RECORDED
    assert "canary" not in str(found)
    assert "name" not in found


def test_a_record_is_bounded() -> None:
    environment = {f"A{number}": "x" for number in range(1000)}
    spec = control_pb2.PerformerSpec(
        image="x" * 5000, config=control_pb2.PerformerConfig(environment=environment)
    )
    found = changes(control_pb2.CreatePerformerRequest(name="a", spec=spec))
    assert len(found) == 65
    assert max(len(str(value)) for value in found.values()) <= 512


def test_the_values_that_may_be_secrets_are_those_that_are_nowhere_in_the_open() -> None:
    assert secrets(REQUEST) == {
        "canary-env",
        "canary-arg",
        "canary-command",
        "canary-payload",
        "canary-output",
    }
