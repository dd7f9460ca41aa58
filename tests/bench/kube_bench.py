"""What a page of 500 pods costs the event loop: ``python tests/bench/kube_bench.py``.

The client decodes on the loop (orjson keeps the interpreter's lock, so a thread would not help);
the page size bounds the pause. The floor is the standard library's decoder in the same run.
Seconds of this thread's processor time, the best of twenty.
"""

import json
import sys
from collections.abc import Callable
from time import thread_time

import orjson

WANTED_SECONDS = 0.02


def page_of_pods(count: int) -> bytes:
    """Return a list answer of pods of a usual size, about 2 kB each."""
    labels = {f"label-{i}": "value" * 5 for i in range(10)}
    env = [{"name": f"VARIABLE_{i}", "value": "some value"} for i in range(20)]
    spec = {"containers": [{"name": "c", "image": "i", "env": env}]}
    meta = {"uid": "u", "resourceVersion": "1", "labels": labels}
    items = [{"metadata": {**meta, "name": f"pod-{i}"}, "spec": spec} for i in range(count)]
    return orjson.dumps({"metadata": {"resourceVersion": "5"}, "items": items})


def best_of(decode: Callable[[bytes], object], body: bytes, runs: int = 20) -> float:
    def once() -> float:
        started = thread_time()
        decode(body)
        return thread_time() - started

    return min(once() for _ in range(runs))


def main() -> int:
    """Print one JSON object; exit 1 where the pause is longer than wanted."""
    body = page_of_pods(500)
    seconds, floor = best_of(orjson.loads, body), best_of(json.loads, body)
    ok = seconds <= WANTED_SECONDS
    row = {
        "bytes": len(body),
        "seconds": round(seconds, 4),
        "wanted": WANTED_SECONDS,
        "standard_library_seconds": round(floor, 4),
    }
    print(json.dumps({"page_of_500_pods": row, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
