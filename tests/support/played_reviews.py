"""A cluster's answers about tokens and rights, as a test sets them; a service of empty answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from hourglass_common.domain.access import Attributes, Caller, Verdict
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.rpc.caller import current_caller

ANN = Caller(name="ann", groups=("dev",), uid="1", extra={"k": ("v",)})
AWAY = HourglassError(Code.UNAVAILABLE, "the API is away")


@dataclass
class PlayedReviews:
    """Implements ``Reviews``; ``rights`` are names with wishes, or names alone for all of them."""

    tokens: dict[str, Caller] = field(default_factory=lambda: {"good": ANN})
    rights: set[Any] = field(default_factory=set)
    failure: HourglassError | None = None
    asked_who: list[str] = field(default_factory=list)
    asked_may: list[tuple[str, Attributes]] = field(default_factory=list)

    async def who(self, token: str) -> Caller | None:
        self.asked_who.append(token)
        if self.failure:
            raise self.failure
        return self.tokens.get(token)

    async def may(self, caller: Caller, wish: Attributes) -> Verdict:
        self.asked_may.append((caller.name, wish))
        if self.failure:
            raise self.failure
        return Verdict(caller.name in self.rights or (caller.name, wish) in self.rights)


class EveryMethod:
    """Answers every method of a service with an empty message; notes who got that far, from where.

    Streams send one message, and end once ``stop`` is set.
    """

    def __init__(self, service: ServiceDescriptor) -> None:
        self.entered: list[tuple[str, str]] = []
        self.peers: list[str] = []
        self.stop = asyncio.Event()
        for method in service.methods:
            answer = GetMessageClass(method.output_type)
            behave = self._stream if method.server_streaming else self._unary
            setattr(self, method.name, behave(method.name, answer))

    def _unary(self, name: str, answer: Any) -> Any:
        async def behaviour(_: Any, context: Any) -> Any:
            self.entered.append((name, current_caller.get().name))
            self.peers.append(context.peer())
            return answer()

        return behaviour

    def _stream(self, name: str, answer: Any) -> Any:
        async def behaviour(_: Any, __: Any) -> AsyncIterator[Any]:
            self.entered.append((name, current_caller.get().name))
            yield answer()
            await self.stop.wait()

        return behaviour
