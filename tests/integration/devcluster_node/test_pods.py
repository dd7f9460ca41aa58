"""Pods as real processes on the node of the dev cluster."""

import json

from hourglass_common.kube.objects import annotations, endpoints_of, is_pod_ready
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)

from tests.support.dev_cluster import DevCluster, client_in
from tests.support.dev_pods import (
    container_state,
    demo_container,
    gone,
    log_of,
    log_until,
    pod,
    pod_until,
    python_container,
    replica_set,
    restarts,
    runs,
    service,
    until,
    waits_for,
)

PORT = "devcluster.hourglass.eigenlayer.io/port"
_STAYS = "import time; time.sleep(600)"


async def test_two_replicas_get_a_port_and_a_slice_each(
    dev_cluster: DevCluster, namespace: str
) -> None:
    async with client_in(dev_cluster, namespace) as client:
        await client.create(SERVICES, namespace, service("svc"))
        await client.create(REPLICA_SETS, namespace, replica_set("rs", 2, demo_container()))
        pods = await until(
            client, PODS, namespace, lambda all_: len(all_) == 2 and all(map(is_pod_ready, all_))
        )
        ports = {int(annotations(each)[PORT]) for each in pods}
        assert len(ports) == 2
        slices = await until(
            client,
            ENDPOINT_SLICES,
            namespace,
            lambda all_: {e.port for e in endpoints_of(all_) if e.ready} == ports,
        )
        assert len(slices) == 2
        by_pod = {e.pod: str(e.port) for e in endpoints_of(slices)}
        assert by_pod == {each["metadata"]["name"]: annotations(each)[PORT] for each in pods}
        await until(
            client,
            REPLICA_SETS,
            namespace,
            lambda all_: (all_[0].get("status") or {}).get("availableReplicas") == 2,
        )


async def test_scaling_down_and_up_keeps_to_the_number(
    dev_cluster: DevCluster, namespace: str
) -> None:
    async with client_in(dev_cluster, namespace) as client:
        await client.create(REPLICA_SETS, namespace, replica_set("rs", 3, python_container(_STAYS)))
        await until(client, PODS, namespace, lambda p: len(p) == 3 and all(map(runs, p)))
        for number in (1, 4):
            change = {"spec": {"replicas": number}}
            await client.merge_patch(REPLICA_SETS, namespace, "rs", change)
            await until(
                client,
                PODS,
                namespace,
                lambda p, n=number: len(p) == n and all(map(runs, p)),  # type: ignore[misc]
            )
        await client.delete(REPLICA_SETS, namespace, "rs")
        await until(client, PODS, namespace, lambda p: not p)


async def test_output_of_any_kind_is_in_the_log(dev_cluster: DevCluster, namespace: str) -> None:
    code = (
        "import sys, time\n"
        "sys.stdout.buffer.write(b'x' * (9 << 20) + b'\\n'); sys.stdout.flush()\n"
        "sys.stderr.buffer.write(bytes(range(256))); sys.stderr.flush()\n"
        "print('end', flush=True); time.sleep(600)"
    )
    async with client_in(dev_cluster, namespace) as client:
        await client.create(PODS, namespace, pod("chatty", python_container(code)))
        await pod_until(client, namespace, "chatty", runs)
        log = await log_until(client, namespace, "chatty", lambda log: log.endswith(b"end\n"))
        assert log == b"x" * (9 << 20) + b"\n" + bytes(range(256)) + b"end\n"


async def test_a_crashing_pod_backs_off_and_keeps_the_log_before(
    dev_cluster: DevCluster, namespace: str
) -> None:
    code = "print('dying', flush=True); raise SystemExit(3)"
    async with client_in(dev_cluster, namespace) as client:
        await client.create(PODS, namespace, pod("crash", python_container(code)))
        found = await pod_until(
            client,
            namespace,
            "crash",
            lambda p: waits_for("CrashLoopBackOff")(p) and restarts(p) >= 2,
        )
        assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
        assert await log_of(client, namespace, "crash", previous=True) == b"dying\n"
        events = await until(
            client, EVENTS, namespace, lambda e: any(x["reason"] == "BackOff" for x in e)
        )
        assert {"Scheduled", "Started", "BackOff"} <= {each["reason"] for each in events}


async def test_an_unknown_image_says_which_there_are(
    dev_cluster: DevCluster, namespace: str
) -> None:
    async with client_in(dev_cluster, namespace) as client:
        body = pod("unknown", {"name": "main", "image": "nginx:1"})
        await client.create(PODS, namespace, body)
        found = await pod_until(client, namespace, "unknown", waits_for("ErrImagePull"))
        message = container_state(found)["waiting"]["message"]
        assert "demo-performer" in message
        assert "process://" in message


async def test_sigterm_is_followed_by_sigkill_after_the_grace_period(
    dev_cluster: DevCluster, namespace: str
) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('told', flush=True))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(600)"
    )
    async with client_in(dev_cluster, namespace) as client:
        await client.create(PODS, namespace, pod("stubborn", python_container(code)))
        await log_until(client, namespace, "stubborn", lambda log: log == b"up\n")
        await client.delete(PODS, namespace, "stubborn")
        await log_until(client, namespace, "stubborn", lambda log: b"told" in log)
        await gone(client, namespace, "stubborn", 10)


async def test_variables_come_from_objects_and_fields(
    dev_cluster: DevCluster, namespace: str
) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)), flush=True); " + _STAYS
    variables = [
        {"name": "GRPC_PORT", "value": "1"},
        {"name": "A", "value": "a"},
        {"name": "B", "value": "$(A)b $$(A) $(NONE)"},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "c"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    async with client_in(dev_cluster, namespace) as client:
        body = pod("vars", python_container(code, env=variables))
        await client.create(PODS, namespace, body)
        found = await pod_until(client, namespace, "vars", waits_for("CreateContainerConfigError"))
        assert 'configmap "conf" not found' in container_state(found)["waiting"]["message"]
        conf = {"metadata": {"name": "conf"}, "data": {"c": "from the map"}}
        await client.create(CONFIG_MAPS, namespace, conf)
        found = await pod_until(client, namespace, "vars", runs)
        text = await log_until(client, namespace, "vars", lambda log: log.endswith(b"\n"))
        seen = json.loads(text)
        assert seen["B"] == "ab $(A) $(NONE)"
        assert (seen["C"], seen["NAME"]) == ("from the map", "vars")
        assert seen["GRPC_PORT"] == annotations(found)[PORT]
        assert "KUBECONFIG" not in seen
