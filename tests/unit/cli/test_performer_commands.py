"""``hourglass performer`` with a played PerformerControl: what is asked, what is printed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hourglass_cli.target import Program
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.port import (
    Act,
    Aim,
    Creation,
    Filter,
    LogQuery,
    Masked,
)

from tests.support.command_line import Ran, run_line
from tests.support.played_cluster import KEPT, Cluster
from tests.support.played_control import PlayedControl
from tests.support.shown_performers import NEW, OLD, view

GOLDEN = Path(__file__).parent / "golden"


def performer(cluster: PlayedControl, *arguments: str) -> Ran:
    return run_line(cluster, "performer", *arguments)


AIM = Aim(namespace="default", name="squares")


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("get", ("get", "squares")),
        ("get_wide", ("get", "squares", "-owide")),
        ("get_yaml", ("get", "squares", "-oyaml")),
        ("get_json", ("get", "squares", "-ojson")),
        ("revisions", ("revisions", "squares")),
        ("revisions_wide", ("revisions", "squares", "-owide")),
        ("revisions_yaml", ("revisions", "squares", "-oyaml")),
        ("explain", ("explain", "squares")),
        ("explain_json", ("explain", "squares", "-ojson")),
    ],
)
def test_an_answer_is_printed_as_in_the_golden_file(
    golden: str, arguments: tuple[str, ...]
) -> None:
    ran = performer(Cluster(), *arguments)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("get", "squares"), ["performer/squares"]),
        (("get",), ["performer/squares", "performer/squares"]),
        (("list",), ["performer/squares", "performer/squares"]),
        (("describe", "squares"), ["performer/squares"]),
        (("explain", "squares"), ["performer/squares"]),
        (("revisions", "squares"), [f"revision/{each.hash}" for each in KEPT]),
        (("promote", "squares"), ["performer/squares"]),
        (("fence", "squares"), ["performer/squares"]),
        (("scale", "squares", "--replicas=2"), ["performer/squares"]),
        (("drain", "squares"), ["performer/squares"]),
    ],
)
def test_names_alone_are_for_pipes(arguments: tuple[str, ...], names: list[str]) -> None:
    assert performer(Cluster(), *arguments, "-oname").out.split() == names


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "squares"),
        ("describe", "squares"),
        ("status", "squares"),
        ("promote", "squares"),
        ("suspend", "squares"),
        ("update", "squares", "--image=x:2"),
        ("drain", "squares"),
    ],
)
def test_programs_get_the_object_itself(arguments: tuple[str, ...], form: str) -> None:
    read: Callable[[str], object] = json.loads if form == "json" else yaml.safe_load
    assert read(performer(Cluster(), *arguments, f"-o{form}").out) == view().manifest


@pytest.mark.parametrize(
    ("arguments", "asked", "said"),
    [
        (("promote", "squares"), (Act.PROMOTE, AIM, ""), f"promoted: revision {NEW} takes over"),
        (("abort", "squares"), (Act.ABORT, AIM, ""), f"aborted: revision {OLD} serves on"),
        (("fence", "squares"), (Act.FENCE, AIM, ""), "fenced"),
        (("unfence", "squares"), (Act.UNFENCE, AIM, ""), "unfenced"),
        (("suspend", "squares"), (Act.SUSPEND, AIM, ""), "suspended"),
        (("resume", "squares"), (Act.RESUME, AIM, ""), "resumed"),
        (
            ("fence", "squares", "--etag=7", "--dry-run", "-n", "other"),
            (Act.FENCE, Aim(namespace="other", name="squares", etag="7", validate_only=True), ""),
            "fenced (dry run, nothing changed)",
        ),
        (("scale", "squares", "--replicas=3"), (AIM, 3), "scaled to 3"),
        (("drain", "squares"), AIM, "drained: 0 in flight, 0 lost"),
    ],
)
def test_an_act_asks_once_and_says_what_was_done(
    arguments: tuple[str, ...], asked: object, said: str
) -> None:
    cluster = Cluster()
    ran = performer(cluster, *arguments)
    assert cluster.asked == [asked]
    name = "a" if arguments[0] == "scale" else "squares"
    assert ran.status == 0, ran.err
    assert ran.out.rstrip() in (f"performer/{name} {said}", f"performer/squares {said}")


def test_a_rollback_names_the_revision_that_served_before_and_asks_for_that_one() -> None:
    before = view({"inServiceRevision": NEW})
    cluster = Cluster(shown=before)
    ran = performer(cluster, "rollback", "squares")
    assert cluster.asked[-1] == (Act.ROLLBACK, AIM, OLD)
    assert ran.err == f"from revision {NEW} (squares:v2) to {OLD} (squares:v1)\n"
    assert ran.out == f"performer/squares rolled back to revision {OLD}\n"


def test_a_rollback_to_a_revision_that_is_named_goes_there() -> None:
    cluster = Cluster()
    performer(cluster, "rollback", "squares", "--to-revision=000000000")
    assert cluster.asked[-1] == (Act.ROLLBACK, AIM, "000000000")


def test_a_drain_that_nobody_confirms_is_exit_code_1() -> None:
    ran = performer(Cluster(drained="unknown"), "drain", "squares")
    assert (ran.status, ran.out) == (1, "performer/squares drained: unknown in flight, 0 lost\n")


def test_an_update_names_its_fields_and_no_other() -> None:
    cluster = Cluster()
    flags = (
        *("--image=squares:v3", "--env=A=b=c", "--unset-env=OLD"),
        *("--set=spec.strategy.type=Recreate", "--set=labels.team=b", "--unset=spec.version"),
    )
    assert performer(cluster, "update", "squares", *flags).status == 0
    manifest = {
        "metadata": {"labels": {"team": "b"}},
        "spec": {
            "image": "squares:v3",
            "config": {"environment": {"A": "b=c"}},
            "strategy": {"type": "Recreate"},
        },
    }
    paths = (
        ("spec", "image"),
        ("spec", "config", "environment", "A"),
        ("spec", "strategy", "type"),
        ("metadata", "labels", "team"),
        ("spec", "config", "environment", "OLD"),
        ("spec", "version"),
    )
    assert cluster.asked == [(AIM, Masked(manifest, paths))]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ((), "nothing is to be changed"),
        (("--env=A",), "'A' is not of the form NAME=value"),
        (("--set=spec.imag=x",), "imag"),
        (("--set=status.phase=Running",), "status"),
        (("--set=spec.config=1", "--set=spec.config.grpcPort=2"), "is set as a whole"),
        (("--file=no-such.yaml",), "no-such.yaml can not be read"),
    ],
)
def test_an_update_that_can_not_be_read_asks_nothing(flags: tuple[str, ...], word: str) -> None:
    cluster = Cluster()
    ran = performer(cluster, "update", "squares", *flags)
    assert ran.status == 1
    assert word in ran.err
    assert cluster.asked == []


def test_a_creation_joins_file_and_flags(tmp_path: Path) -> None:
    file = tmp_path / "performer.yaml"
    meta = {"name": "squares", "namespace": "team-a", "labels": {"a": "b"}}
    spec = {"avsAddress": "0x1", "image": "x:1", "config": {"environment": {"KEEP": "1"}}}
    file.write_text(yaml.safe_dump({"kind": "Performer", "metadata": meta, "spec": spec}))
    cluster = Cluster()
    flags = ("--image=x:2", "--replicas=3", "--env=NEW=2", "--request-id=r1", "--dry-run")
    ran = performer(cluster, "create", f"--file={file}", *flags)
    (asked,) = cluster.asked
    assert asked == Creation(
        namespace="team-a",
        name="squares",
        spec={
            "avsAddress": "0x1",
            "image": "x:2",
            "replicas": 3,
            "config": {"environment": {"KEEP": "1", "NEW": "2"}},
        },
        labels={"a": "b"},
        request_id="r1",
        validate_only=True,
    )
    assert ran.out == "performer/squares would be created\n"


def test_logs_name_the_instance_where_there_are_several() -> None:
    cluster = Cluster()
    ran = performer(cluster, "logs", "squares", "--since=2m", "--tail=5", "-p", "--timestamps")
    assert cluster.asked[-1] == LogQuery(
        namespace="default", name="squares", tail_lines=5, since_seconds=120.0, previous=True
    )
    assert ran.out.splitlines()[0] == "[a-1] 2026-01-02T03:04:05.000000007Z up"
    assert performer(cluster, "logs", "squares", "--no-prefix").out.splitlines()[0] == "up"


def test_short_options_take_their_value_as_kubectl_s_do() -> None:
    ran = performer(Cluster(), "get", "squares", "-n=team-a", "-o=name")
    assert ran.out == "performer/squares\n"
    assert ran.targets[0].namespace == "team-a"


def test_all_pages_of_a_list_are_read_in_the_namespaces_that_are_meant() -> None:
    cluster = Cluster()
    performer(cluster, "list", "-A", "--avs=0x33", "--filter=spec.replicas > 1")
    assert cluster.asked == [
        (Filter(avs="0x33"), token, "spec.replicas > 1") for token in ("", "more")
    ]


def test_deleting_what_is_not_there_is_an_error_unless_it_is_meant() -> None:
    none = HourglassError(Code.NOT_FOUND, "no performer 'squares'")
    assert performer(Cluster(refusal=none), "delete", "squares").status == 1
    ran = performer(Cluster(refusal=none), "delete", "squares", "--ignore-not-found")
    assert (ran.status, ran.out) == (0, "performer/squares not found\n")
    cluster = Cluster()
    performer(cluster, "delete", "squares", "other", "--force")
    assert cluster.asked == [(AIM, True), (replace(AIM, name="other"), True)]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (Code.NOT_FOUND, "hourglass performer list -A"),
        (Code.FAILED_PRECONDITION, "hourglass performer explain NAME"),
        (Code.ABORTED, "hourglass performer get NAME -oyaml"),
        (Code.UNAUTHENTICATED, "--token-file"),
        (Code.PERMISSION_DENIED, "kubectl auth can-i"),
    ],
)
def test_a_refusal_comes_with_what_to_try_next(code: Code, hint: str) -> None:
    refused = Cluster(refusal=HourglassError(code, "not like this", reason="R"))
    ran = performer(refused, "get", "squares")
    said, tried = ran.err.splitlines()
    assert (ran.status, ran.out, said) == (1, "", "hourglass: not like this")
    assert hint in tried


def test_kubectl_s_own_hints_are_in_kubectl_s_words() -> None:
    refused = Cluster(refusal=HourglassError(Code.NOT_FOUND, "none", reason="R"))
    ran = run_line(refused, "get", "squares", program=Program.KUBECTL)
    assert "kubectl hourglass list -A" in ran.err


@pytest.mark.parametrize("text", ["", "soon", "-3s", "0", "5 parsecs"])
def test_a_time_that_is_none_is_wrong_usage(text: str) -> None:
    ran = performer(Cluster(), "status", "squares", "--timeout", text)
    assert ran.status == 2
    assert "60s, 2m" in ran.err


def test_two_ways_at_once_are_wrong_usage() -> None:
    ran = performer(Cluster(), "get", "--control=a:1", "--context=b")
    assert ran.status == 2
    assert "not both" in ran.err


def test_one_performer_in_all_namespaces_is_refused() -> None:
    ran = performer(Cluster(), "get", "squares", "-A")
    assert ran.status == 1
    assert "give -n, not -A" in ran.err
