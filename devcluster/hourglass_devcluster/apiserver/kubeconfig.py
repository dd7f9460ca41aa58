"""The kubeconfig with which kubectl and our programs reach the dev cluster."""

import os
from pathlib import Path

import yaml

_NAME = "hourglass-dev"


def write_kubeconfig(path: Path, url: str, token: str) -> Path:
    """Write ``path`` for its owner's eyes only, replacing what was there; return it.

    The token stands in the server's URL, from where clients send it as a basic password: kubectl
    reads no credentials of a user over plain HTTP, and HTTPS would need a certificate, which
    nothing that we depend on can make.
    """
    scheme, _, address = url.partition("://")
    server = f"{scheme}://admin:{token}@{address}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": server}}],
        "users": [{"name": "admin", "user": {}}],
        "contexts": [
            {
                "name": _NAME,
                "context": {"cluster": _NAME, "user": "admin", "namespace": "default"},
            }
        ],
        "current-context": _NAME,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        yaml.safe_dump(content, file, sort_keys=False)
    return fresh.replace(path)
