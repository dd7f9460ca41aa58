"""TokenReview and SubjectAccessReview: who calls, and what the cluster lets them do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hourglass_common.domain.access import Attributes, Caller, Proof, Verdict
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, Manifest
from hourglass_common.runtime.logs import get_logger

log = get_logger(__name__)

RETRY_SECONDS = 1.0


class ClusterReviews:
    """Implements ``Reviews``; a token counts only if it was made for ``audience``."""

    def __init__(self, client: KubeClient, audience: str, *, timeout_seconds: float = 5.0) -> None:
        self._client = client
        self._audience = audience
        self._timeout = timeout_seconds

    async def who(self, token: str) -> Caller | None:
        body = {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "spec": {"token": token, "audiences": [self._audience]},
        }
        async with self._asking("who calls"):
            answer = await self._client.create(TOKEN_REVIEWS, None, body)
            return caller_of(answer, self._audience)

    async def may(self, caller: Caller, wish: Attributes) -> Verdict:
        attributes = {
            "verb": wish.verb,
            "group": wish.group,
            "resource": wish.resource,
            "subresource": wish.subresource,
            "namespace": wish.namespace,
            "name": wish.name,
        }
        spec: dict[str, Any] = {
            "user": caller.name,
            "groups": list(caller.groups),
            "resourceAttributes": {key: value for key, value in attributes.items() if value},
        }
        if caller.uid:
            spec["uid"] = caller.uid
        if caller.extra:
            spec["extra"] = {key: list(values) for key, values in caller.extra.items()}
        body = {
            "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SUBJECT_ACCESS_REVIEWS.kind,
            "spec": spec,
        }
        async with self._asking("what the caller may do"):
            answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, None, body)
            status = answer.get("status") or {}
            allowed = status.get("allowed") is True and not status.get("denied")
            return Verdict(allowed, str(status.get("reason") or ""))

    @asynccontextmanager
    async def _asking(self, what: str) -> AsyncIterator[None]:
        """Turn every failure into UNAVAILABLE, without the API's words: they may hold the token."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (HourglassError, TimeoutError, TypeError, ValueError, AttributeError) as exc:
            code = exc.code.value if isinstance(exc, HourglassError) else type(exc).__name__
            log.warning("the cluster does not say", about=what, failure=code)
            raise HourglassError(
                Code.UNAVAILABLE,
                f"the Kubernetes API could not be asked {what}",
                reason="ACCESS_UNKNOWN",
                hint="nothing is allowed until it answers: try again",
                retry_after=RETRY_SECONDS,
            ) from None


def caller_of(review: Manifest, audience: str) -> Caller | None:
    """Return whom a TokenReview names, None unless the token is valid for ``audience``."""
    status = review.get("status") or {}
    user = status.get("user") or {}
    name = user.get("username")
    if status.get("authenticated") is not True or not name:
        return None
    if audience not in (status.get("audiences") or ()):
        return None
    extra = user.get("extra") or {}
    return Caller(
        name=str(name),
        groups=tuple(map(str, user.get("groups") or ())),
        uid=str(user.get("uid") or ""),
        extra={str(key): tuple(map(str, values)) for key, values in extra.items()},
        proof=Proof.TOKEN,
    )
