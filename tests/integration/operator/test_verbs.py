"""PerformerControl's verbs against a running operator: what they do, record and refuse."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.objects import annotations, condition
from hourglass_common.kube.resources import LEASES, PERFORMERS, PODS, Manifest
from hourglass_operator.runtime.leader import LEASE_NAME
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Act, Aim, Explanation, Masked, StepState
from hourglass_services.rpc.channel import open_channel

from tests.support.operator_cluster import Cluster, until
from tests.support.operator_process import operator_process

STAGED = {"strategy": {"type": "BlueGreen", "blueGreen": {}}}


@asynccontextmanager
async def controlled(cluster: Cluster) -> AsyncIterator[PerformerControlClient]:
    async with cluster.operator() as addresses, open_channel(addresses.control) as channel:
        yield PerformerControlClient(channel)


def aim(cluster: Cluster, **more: Any) -> Aim:
    return Aim(namespace=cluster.namespace, name="demo", **more)


def stop(found: Explanation) -> tuple[str, str, str]:
    """Return the first step that does not hold: name, state, reason."""
    step = next(step for step in found.steps if step.state is not StepState.PASSED)
    return step.name, step.state.value, step.reason


async def receipt(cluster: Cluster, action: str) -> Manifest:
    """Return the newest receipt of ``action`` once there is one."""

    async def ask() -> Manifest | None:
        receipts = ((await cluster.performer()).get("status") or {}).get("receipts") or ()
        return next((each for each in receipts if each["action"] == action), None)

    return await until(ask, f"a receipt of {action}")


async def rolled_out(cluster: Cluster, **spec: Any) -> str:
    """Bring up a performer and stage its second image; returns the revision in service."""
    await cluster.create(**{**STAGED, **spec})
    found = await cluster.until_condition("Ready", "True")
    await cluster.change(image="demo:2")
    await cluster.until_condition("Ready", "False", "AwaitingPromotion")
    return str(found["status"]["revision"])


async def test_each_verb_is_seen_in_the_object_and_leaves_a_receipt_with_the_caller(
    cluster: Cluster,
) -> None:
    async with controlled(cluster) as client:
        first = await rolled_out(cluster)
        promoted = await client.act(Act.PROMOTE, aim(cluster))
        assert promoted.manifest["status"]["decision"]["outcome"] == "Accepted"
        await cluster.until_condition("Ready", "True")
        await client.act(Act.ROLLBACK, aim(cluster), first)
        await cluster.until_condition("Stalled", "True", "RolledBack")
        for act, key, value in (
            (Act.FENCE, "fence", True),
            (Act.UNFENCE, "fence", False),
            (Act.SUSPEND, "suspend", True),
            (Act.RESUME, "suspend", False),
        ):
            view = await client.act(act, aim(cluster))
            assert view.manifest["spec"][key] is value
            await receipt(cluster, act.value)
        await client.scale(aim(cluster), 3)
        await receipt(cluster, "Scale")
        found = await cluster.performer()
    acts = {each["action"]: each.get("who") for each in found["status"]["receipts"]}
    whose = ("Promote", "Rollback", "Fence", "Unfence", "Suspend", "Resume", "Scale")
    assert {act: acts[act] for act in whose} == dict.fromkeys(whose, "local by hourglass-control")


async def test_an_abort_keeps_what_serves_and_says_so(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        first = await rolled_out(cluster)
        await client.act(Act.ABORT, aim(cluster))
        found = await cluster.until_condition("Stalled", "True", "Aborted")
        assert found["status"]["inServiceRevision"] == first
        explained = await client.explain(cluster.namespace, "demo")
        assert stop(explained) == ("Chosen", "BLOCKED", "Aborted")
        assert "promote demo" in explained.summary


async def test_a_decision_that_can_not_be_carried_out_is_refused_and_not_written(
    cluster: Cluster,
) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        for act, revision, words in (
            (Act.ABORT, "", "is in service"),
            (Act.ROLLBACK, "abcdefabc", "is not kept"),
            (Act.ROLLBACK, "", "is not kept"),
            (Act.PROMOTE, "abcdefabc", "the spec asks for"),
        ):
            for validate_only in (True, False):
                with pytest.raises(HourglassError, match=words) as caught:
                    await client.act(act, aim(cluster, validate_only=validate_only), revision)
                assert caught.value.code is Code.FAILED_PRECONDITION
                assert caught.value.reason == "DECISION_REFUSED"
        assert "rollout" not in (await cluster.performer())["spec"]


async def test_a_change_that_is_only_validated_changes_nothing(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await rolled_out(cluster)
        before = await cluster.performer()
        for_nothing = aim(cluster, validate_only=True, request_id="r1")
        for act in Act:
            if act is not Act.ROLLBACK:
                await client.act(act, for_nothing)
        await client.scale(for_nothing, 5)
        shown = await client.update(for_nothing, Masked({"spec": {"image": "demo:9"}}, ()))
        assert shown.manifest["spec"]["image"] == "demo:9"
        await client.drain(for_nothing)
        await client.delete(for_nothing)
        after = await cluster.performer()
    assert after["spec"] == before["spec"]
    assert annotations(after) == annotations(before)


async def test_a_repeated_request_changes_nothing_though_others_changed_it_since(
    cluster: Cluster,
) -> None:
    async with controlled(cluster) as client:
        await cluster.create(replicas=1)
        asked = aim(cluster, request_id="scale-1")
        assert (await client.scale(asked, 2)).manifest["spec"]["replicas"] == 2
        await cluster.change(replicas=4)

        async def seen() -> bool | None:
            found = await client.get(cluster.namespace, "demo")
            return True if found.manifest["spec"]["replicas"] == 4 else None

        await until(seen, "the replica has seen the other's change")
        assert (await client.scale(asked, 2)).manifest["spec"]["replicas"] == 4
        with pytest.raises(HourglassError) as caught:
            await client.scale(asked, 3)
        assert caught.value.reason == "REQUEST_ID_REUSED"
        for number in range(8):
            await client.act(Act.FENCE, aim(cluster, request_id=f"fence-{number}"))
        # Eight ids are remembered; the first is not one of them any more.
        assert (await client.scale(asked, 2)).manifest["spec"]["replicas"] == 2


async def test_a_change_of_another_version_is_refused_and_one_of_this_is_read_back(
    cluster: Cluster,
) -> None:
    async with controlled(cluster) as client:
        made = await cluster.create()
        stale = str(made["metadata"]["resourceVersion"])
        await cluster.change(image="demo:2")
        for call in (
            client.scale(aim(cluster, etag=stale), 2),
            client.act(Act.FENCE, aim(cluster, etag=stale)),
            client.update(aim(cluster, etag=stale), Masked({"spec": {"version": "2"}}, ())),
            client.delete(aim(cluster, etag=stale)),
        ):
            with pytest.raises(HourglassError) as caught:
                await call
            assert (caught.value.code, caught.value.reason) == (Code.ABORTED, "PERFORMER_CHANGED")
        view = await client.update(aim(cluster), Masked({"spec": {"version": "3"}}, ()))
        read = await client.get(cluster.namespace, "demo")
        assert read.manifest["spec"]["version"] == view.manifest["spec"]["version"] == "3"


async def test_an_update_changes_the_fields_of_its_mask_and_no_others(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create(
            version="1",
            replicas=2,
            config={"environment": {"A": "1", "B": "2"}, "args": ["x"]},
        )
        manifest = {
            "metadata": {"labels": {"team": "a"}},
            "spec": {"image": "demo:2", "config": {"environment": {"A": "9"}}},
        }
        paths = (
            ("metadata", "labels", "team"),
            ("spec", "config", "environment", "A"),
            ("spec", "version"),
            ("spec", "config", "args"),
        )
        await client.update(aim(cluster), Masked(manifest, paths))
        found = await cluster.performer()
    assert found["metadata"]["labels"] == {"team": "a"}
    assert found["spec"]["config"] == {"environment": {"A": "9", "B": "2"}, "grpcPort": 9090}
    assert "version" not in found["spec"]
    assert (found["spec"]["image"], found["spec"]["replicas"]) == ("demo:1", 2)


async def test_an_update_that_the_schema_refuses_names_the_field(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        with pytest.raises(HourglassError) as caught:
            await client.update(aim(cluster), Masked({"spec": {"config": {"grpcPort": 0}}}, ()))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert [each.field for each in caught.value.violations] == ["spec.config.grpc_port"]


async def report(
    client: PerformerControlClient, cluster: Cluster, executor: str, in_flight: int
) -> None:
    revision = (await cluster.performer())["status"]["revision"]
    now = datetime.now(UTC)
    await client.report_drain(
        cluster.namespace,
        "demo",
        "",
        executor,
        [
            DrainReport(
                executor=executor,
                revision=revision,
                in_flight=in_flight,
                lost=0,
                renewed_at=now,
                valid_until=now + timedelta(seconds=60),
            )
        ],
    )


async def test_a_drain_answers_once_every_executor_that_spoke_holds_nothing(
    cluster: Cluster,
) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(client.drain(aim(cluster), timeout_seconds=30))
            await receipt(cluster, "Fence")
            await report(client, cluster, "one", 2)
            await report(client, cluster, "two", 1)
            await asyncio.sleep(3.5)  # past the time that executors have for their first word
            assert not draining.done()
            await report(client, cluster, "one", 0)
            await report(client, cluster, "two", 0)
        drained = draining.result()
        assert (drained.in_flight, drained.lost) == ("0", "0")
        assert drained.performer.manifest["spec"]["fence"] is True
        found = await receipt(cluster, "Fence")
        assert found["inFlight"] == "3"
        # It is fenced already: a second drain counts from the first one's fence, and is over.
        again = await client.drain(aim(cluster), timeout_seconds=5)
        assert (again.in_flight, again.lost) == ("0", "0")


async def test_a_drain_that_no_executor_speaks_of_is_unknown(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        drained = await client.drain(aim(cluster), timeout_seconds=20)
    assert (drained.in_flight, drained.lost) == ("unknown", "unknown")


async def test_a_report_for_a_performer_that_was_made_anew_is_refused(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        with pytest.raises(HourglassError) as caught:
            await client.report_drain(cluster.namespace, "demo", "another", "one", ())
        assert caught.value.code is Code.FAILED_PRECONDITION
        with pytest.raises(HourglassError) as caught:
            await client.report_drain(cluster.namespace, "other", "", "one", ())
        assert caught.value.code is Code.NOT_FOUND


async def test_why_it_does_not_serve_is_told_step_by_step(cluster: Cluster) -> None:
    async with controlled(cluster) as client:

        async def explained(revision: str = "") -> Explanation:
            return await client.explain(cluster.namespace, "demo", revision)

        first = await rolled_out(cluster)
        found = await explained()
        assert stop(found) == ("Promoted", "WAITING", "AwaitingPromotion")
        assert found.steps[-1].state is StepState.SKIPPED
        assert not found.serving
        # No Service has addresses here: nothing sends slices for pods without a node.
        assert stop(await explained(first))[0] in ("Chosen", "Addressable")
        await client.act(Act.FENCE, aim(cluster))
        assert stop(await explained()) == ("Unfenced", "BLOCKED", "Fenced")
        await client.act(Act.SUSPEND, aim(cluster))
        await receipt(cluster, "Suspend")
        found = await explained()
        assert stop(found) == ("Wanted", "BLOCKED", "Suspended")
        assert "resume demo" in found.summary
        with pytest.raises(HourglassError) as caught:
            await explained("nosuchrev")
        assert caught.value.reason == "REVISION_NOT_FOUND"


async def test_revisions_are_listed_newest_first_with_their_roles(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        first = await rolled_out(cluster)
        found = await client.list_revisions(cluster.namespace, "demo")
    assert [(each.image, each.role.value) for each in found] == [
        ("demo:2", "Staged"),
        ("demo:1", "InService"),
    ]
    assert found[1].hash == first
    assert found[1].in_service_since
    assert found[0].replica_set == f"demo-{found[0].hash}"


async def test_a_deletion_takes_the_performer_and_its_pods(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await client.delete(aim(cluster), timeout_seconds=20)

        async def gone() -> bool | None:
            left = await cluster.names(PODS) + await cluster.names(PERFORMERS)
            return True if not left else None

        await until(gone, "nothing is left")


async def test_the_word_of_the_operator_on_a_late_refusal_is_the_answer(cluster: Cluster) -> None:
    async with controlled(cluster) as client:
        await cluster.create()
        found = await cluster.until_condition("Ready", "True")
        assert condition(found, "Ready")
        view = await client.act(Act.PROMOTE, aim(cluster))
        assert view.manifest["status"]["decision"]["message"].endswith("is in service already")


async def test_a_replica_that_does_not_lead_does_all_the_same(cluster: Cluster) -> None:
    where = cluster.namespace
    async with (
        operator_process(
            cluster.kubeconfig, where, leader_elect="true", leader_election_namespace=where
        ),
        cluster.operator(leader_elect=True, leader_election_namespace=where) as follower,
        open_channel(follower.control) as channel,
    ):
        client = PerformerControlClient(channel)
        await rolled_out(cluster)
        lease = await cluster.client.get(LEASES, where, LEASE_NAME)
        assert not lease["spec"]["holderIdentity"].endswith(f"_{os.getpid()}")
        view = await client.act(Act.PROMOTE, aim(cluster))
        assert view.manifest["status"]["decision"]["outcome"] == "Accepted"
        await client.act(Act.FENCE, aim(cluster))
        assert (await client.get(cluster.namespace, "demo")).manifest["spec"]["fence"] is True
        found = await client.explain(cluster.namespace, "demo")
        assert stop(found) == ("Unfenced", "BLOCKED", "Fenced")
