"""The three programs of ``hourglass dev`` and what each is told. Pure."""

import json
from typing import Any, Final

from .options import HOST, Layout, Ports
from .supervisor import Program

NAMESPACE: Final = "default"
DEMO_AVS: Final = "0xdec0de0000000000000000000000000000000001"
DEMO_IMAGE: Final = "demo-performer"
DEMO_TAG: Final = "v1"
AGGREGATOR: Final = "0xa99e000000000000000000000000000000000001"

OPERATOR_KEY: Final = "0x" + "01" * 32
OPERATOR_ADDRESS: Final = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
"""The key is in the source, so it is nobody's: it signs the results of demo tasks."""


def programs(layout: Layout, ports: Ports) -> tuple[Program, ...]:
    """Return the children in the order of their start: the one the others rest on is first."""
    return (
        _child(layout, "cluster", cluster_flags(layout, ports)),
        _child(layout, "operator", operator_flags(layout, ports)),
        _child(layout, "executor", {}, config_path=str(layout.executor_config)),
    )


def _child(
    layout: Layout, name: str, flags: dict[str, Any], config_path: str | None = None
) -> Program:
    told = json.dumps({"flags": flags, "config_path": config_path})
    return Program(
        name=name,
        arguments=("-m", "hourglass_cli.dev.child", name, told),
        log=layout.log(name),
    )


def cluster_flags(layout: Layout, ports: Ports) -> dict[str, Any]:
    return {
        "data_dir": str(layout.cluster),
        "kubeconfig": str(layout.kubeconfig),
        "address": f"{HOST}:{ports.api_port}",
    }


def operator_flags(layout: Layout, ports: Ports) -> dict[str, Any]:
    return {
        "kubeconfig": str(layout.kubeconfig),
        "control.address": f"{HOST}:{ports.control_port}",
        "metrics_bind_address": f"{HOST}:{ports.operator_metrics_port}",
    }


def executor_config(layout: Layout, ports: Ports) -> dict[str, Any]:
    """Return the executor's configuration, in the keys of the reference and ours."""
    return {
        "grpcPort": ports.executor_port,
        "operator": {
            "address": OPERATOR_ADDRESS,
            "operatorPrivateKey": {"privateKey": OPERATOR_KEY},
            "signingKeys": {"ecdsa": {"privateKey": OPERATOR_KEY}},
        },
        "kubernetes": {
            "namespace": NAMESPACE,
            "operatorNamespace": NAMESPACE,
            "crdGroup": "hourglass.eigenlayer.io",
            "crdVersion": "v1alpha1",
            "connectionTimeout": "30s",
            "kubeConfigPath": str(layout.kubeconfig),
            "inCluster": False,
        },
        "avsPerformers": [
            {
                "image": {"repository": DEMO_IMAGE, "tag": DEMO_TAG},
                "processType": "server",
                "avsAddress": DEMO_AVS,
                "deploymentMode": "kubernetes",
            }
        ],
        "verification": "none",
        "dataDir": str(layout.executor),
        "metrics": {"address": f"{HOST}:{ports.executor_metrics_port}"},
    }
