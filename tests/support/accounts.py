"""Service accounts on a real API server: their roles, and their tokens good and bad."""

import asyncio
import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import (
    GROUP,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    SUBJECT_ACCESS_REVIEWS,
    Resource,
)

RBAC_GROUP = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC_GROUP, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(RBAC_GROUP, "v1", "rolebindings", "RoleBinding")
AUDIENCE = "hourglass-control"


@dataclass
class Accounts:
    """Makes accounts, and takes the namespaces that it made away again."""

    kube: KubeClient
    key_file: Path
    """With which the API server signs tokens."""
    _namespaces: list[str] = field(default_factory=list)

    async def namespace(self, name: str) -> str:
        await self.kube.create(NAMESPACES, None, {"metadata": {"name": name}})
        self._namespaces.append(name)
        return name

    async def close(self) -> None:
        for name in self._namespaces:
            await self.kube.delete(NAMESPACES, None, name)

    async def account(
        self, namespace: str, name: str, rights: Iterable[str] = (), audience: str = AUDIENCE
    ) -> str:
        """Make a service account with rights such as ``update performers/promote`` in its
        namespace; returns a token of its."""
        await self.kube.create(SERVICE_ACCOUNTS, namespace, {"metadata": {"name": name}})
        await self.grant(namespace, name, rights, subject=_account(namespace, name))
        return await self.token(namespace, name, audience)

    async def grant(
        self, namespace: str, name: str, rights: Iterable[str], *, subject: dict[str, str]
    ) -> None:
        """Make a Role ``name`` of ``rights``, and its binding to ``subject``."""
        rights = sorted(rights)
        rules = [
            {"apiGroups": [GROUP], "resources": [path], "verbs": [verb]}
            for verb, _, path in (right.partition(" ") for right in rights)
        ]
        meta = {"name": name}
        await self.kube.create(ROLES, namespace, {"metadata": meta, "rules": rules})
        binding = {
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": name},
            "subjects": [subject],
        }
        await self.kube.create(ROLE_BINDINGS, namespace, binding)
        for right in rights:
            await self._until(namespace, subject, right, allowed=True)

    async def revoke(self, namespace: str, name: str) -> None:
        """Take away what ``grant`` gave an account of that name."""
        role = await self.kube.get(ROLES, namespace, name)
        await self.kube.delete(ROLE_BINDINGS, namespace, name)
        for rule in role["rules"]:
            right = f"{rule['verbs'][0]} {rule['resources'][0]}"
            await self._until(namespace, _account(namespace, name), right, allowed=False)

    async def _until(
        self, namespace: str, subject: dict[str, str], right: str, *, allowed: bool
    ) -> None:
        """Return once the API server itself says so: it follows roles with a delay."""
        verb, _, path = right.partition(" ")
        resource, _, subresource = path.partition("/")
        user = subject["name"]
        if subject["kind"] == "ServiceAccount":
            user = f"system:serviceaccount:{subject['namespace']}:{user}"
        attributes = {
            "verb": verb,
            "group": GROUP,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
        }
        who = {"groups": [user]} if subject["kind"] == "Group" else {"user": user}
        body = {"spec": {**who, "resourceAttributes": attributes}}
        async with asyncio.timeout(10):
            while True:
                found = await self.kube.create(SUBJECT_ACCESS_REVIEWS, None, body)
                if found["status"]["allowed"] is allowed:
                    return
                await asyncio.sleep(0.02)

    async def token(self, namespace: str, name: str, audience: str = AUDIENCE) -> str:
        """Return a new token of an account; an audience "" is the API server's own."""
        spec: dict[str, Any] = {"audiences": [audience]} if audience else {}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made = await self.kube.create(
            SERVICE_ACCOUNTS, namespace, body, name=name, subresource="token"
        )
        return str(made["status"]["token"])

    def expired(self, token: str) -> str:
        """Return ``token`` as it was an hour ago and ended since, signed as the API server does."""
        head, content, _ = token.split(".")
        claims = json.loads(_decoded(content))
        for claim in ("exp", "iat", "nbf"):
            claims[claim] -= 7200
        signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
        key = load_pem_private_key(self.key_file.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        signature = key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return f"{signed}.{_encoded(signature)}"


def _account(namespace: str, name: str) -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
