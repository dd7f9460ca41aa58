"""Write the dev cluster's schemas of the built-in kinds, as an API server publishes them.

    python scripts/generate_kubernetes_schemas.py KUBECONFIG

Only the kinds that the dev cluster serves and what they refer to; without descriptions, which
are nine tenths of the text. Run it when the Kubernetes version that we follow changes.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_devcluster.model.kinds import BUILT_IN

TARGET = Path("devcluster/hourglass_devcluster/apiserver/kubernetes_schemas.json")
ALSO = (
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
)
_PREFIX = "#/components/schemas/"


async def schemas_of(kubeconfig: str) -> dict[str, Any]:
    published: dict[str, Any] = {}
    async with KubeClient(await connect(kubeconfig)) as client:
        for version in sorted({kind.api_version for kind in BUILT_IN}):
            path = f"/openapi/v3/{'apis' if '/' in version else 'api'}/{version}"
            published |= orjson.loads(await client.raw(path))["components"]["schemas"]
    wanted = [kind.schema for kind in BUILT_IN] + list(ALSO)
    schemas: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in schemas:
            schemas[name] = _reduced(published[name], wanted)
    return schemas


def _reduced(schema: Any, wanted: list[str]) -> Any:
    """Return ``schema`` without descriptions, noting in ``wanted`` what it refers to."""
    match schema:
        case {"$ref": str(target)}:
            wanted.append(target.removeprefix(_PREFIX))
            return {"$ref": target}
        case {"allOf": [only]}:
            return {
                **_reduced(only, wanted),
                **{k: v for k, v in schema.items() if k not in ("allOf", "description")},
            }
        case dict():
            properties = schema.get("properties")
            made = {
                key: _reduced(value, wanted)
                for key, value in schema.items()
                if key not in ("description", "properties")
            }
            if isinstance(properties, dict):
                made["properties"] = {k: _reduced(v, wanted) for k, v in properties.items()}
            return made
        case list():
            return [_reduced(each, wanted) for each in schema]
        case _:
            return schema


found = asyncio.run(schemas_of(sys.argv[1]))
TARGET.write_bytes(orjson.dumps(found, option=orjson.OPT_SORT_KEYS) + b"\n")
