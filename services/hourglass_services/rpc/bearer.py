"""The token that a client shows: from a value, or from a file that is replaced while we run."""

from pathlib import Path
from typing import Any

import grpc.aio
from grpc.aio import ClientCallDetails, Metadata
from hourglass_common.domain.errors import Code, HourglassError

from .files import FollowedFile, read_file

AUTHORIZATION = "authorization"
SCHEME = "Bearer"


class TokenFile:
    """The token in a file. Kubernetes writes a new one long before the old one ends."""

    def __init__(self, path: Path) -> None:
        self._file = FollowedFile(path)
        self._last = checked_token(read_file(path, "the token file").decode(errors="replace"))

    def token(self) -> str:
        """Return what the file holds, or held last while it is away or half written."""
        try:
            self._last = checked_token(self._file.read().decode(errors="replace"))
        except (OSError, HourglassError):
            return self._last
        return self._last


class FixedToken:
    """A token that is the same for as long as the channel is open."""

    def __init__(self, token: str) -> None:
        self._token = checked_token(token)

    def token(self) -> str:
        return self._token


TokenSource = TokenFile | FixedToken


def checked_token(text: str) -> str:
    """Return the token in ``text`` without what is around it; INVALID_ARGUMENT if it is none."""
    token = text.strip()
    if token and token.isascii() and token.isprintable() and " " not in token:
        return token
    raise HourglassError(
        Code.INVALID_ARGUMENT,
        "the token is empty, or holds what a header can not carry",
        reason="BAD_TOKEN",
        hint="a token is one line; `kubectl create token` prints one",
    )


def shown_by(source: TokenSource) -> list[grpc.aio.ClientInterceptor]:
    """Return what makes every call of a channel show the token, as it is at that moment."""
    return [_Unary(source), _Streamed(source)]


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_showing(client_call_details, self._source), request)


class _Streamed(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_showing(client_call_details, self._source), request)


def _showing(details: ClientCallDetails, source: TokenSource) -> ClientCallDetails:
    metadata = Metadata(*(details.metadata or ()))
    metadata.set_all(AUTHORIZATION, [f"{SCHEME} {source.token()}"])
    return ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )
