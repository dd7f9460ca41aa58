"""How many decisions the router makes: ``python tests/bench/router_bench.py``.

Per second of processor time; a decision is a task that arrives and is sent. The second figure
has the end of each call in it too, which is what one task costs the router in all.
"""

import json
import sys
from time import process_time

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.health import HealthAnswer
from hourglass_executor.routing.events import (
    CallEnded,
    ConnectionChanged,
    EndpointsChanged,
    HealthChanged,
    Permit,
    Send,
    TaskArrived,
    key_of,
)
from hourglass_executor.routing.health import Health
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.router import Router


def serving_router(instances: int) -> Router:
    """Return a router with so many usable endpoints of one performer."""
    router = Router(RouterPolicy())
    endpoints = tuple(
        Endpoint(performer_id="p", revision="r", instance=f"i{n}", address=f"i{n}:9090")
        for n in range(instances)
    )
    router.handle(EndpointsChanged("0xa", "p", endpoints), now=0, u=0)
    serving = Health(answer=HealthAnswer.SERVING)
    for endpoint in endpoints:
        router.handle(ConnectionChanged(key_of(endpoint), connected=True), now=0, u=0)
        router.handle(HealthChanged(key_of(endpoint), serving), now=0, u=0)
    return router


def measure(instances: int, *, rounds: int = 3_000, in_flight: int = 16) -> tuple[float, float]:
    """Return decisions per second, and tasks per second with their ends."""
    router = serving_router(instances)
    deciding = ending = 0.0
    for number in range(rounds):
        now = number * 1e-3
        permits: list[Permit] = []
        began = process_time()
        for ticket in range(number * in_flight, (number + 1) * in_flight):
            (answer,) = router.handle(TaskArrived(ticket, "0xa", now + 10), now=now, u=0.5)
            assert isinstance(answer, Send)
            permits.append(answer.permit)
        decided = process_time()
        for permit in permits:
            router.handle(CallEnded(permit, None), now=now + 1e-3, u=0.5)
        deciding += decided - began
        ending += process_time() - decided
    tasks = rounds * in_flight
    return tasks / deciding, tasks / (deciding + ending)


def main() -> int:
    """Print one JSON object; exit 1 below the goal with 4 instances."""
    best = {n: max(measure(n) for _ in range(5)) for n in (1, 2, 4, 16)}
    ok = best[4][0] >= 100_000
    rows = {
        str(n): {"decisions_per_second": round(decisions), "tasks_per_second": round(tasks)}
        for n, (decisions, tasks) in best.items()
    }
    print(json.dumps({"instances": rows, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
