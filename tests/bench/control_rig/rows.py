"""What is wanted of PerformerControl under load. Pure."""

from dataclasses import dataclass

from tests.bench.operator_rig.report import Goal

CREATING = (1, 8, 32)
"""Callers at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    performers: int = 1000
    lists: int = 40
    gets: int = 1000
    creates: int = 400
    watchers: int = 20
    patches: int = 1000
    paced_seconds: float = 5.0


QUICK = Size(
    performers=200, lists=10, gets=100, creates=60, watchers=5, patches=200, paced_seconds=1
)


def goals(size: Size) -> list[Goal]:
    """Return the rows in their order; what is not judged has no limit."""
    many, watchers = size.performers, size.watchers
    best = CREATING[-1]
    return [
        Goal("list", f"list of {many}, parsed by the caller, p50", "ms", "≤ 50", limit=50),
        Goal("list_bytes", "  of it until the bytes are there", "ms", "-"),
        Goal("list_first", "  the first one after a start", "ms", "-"),
        *(
            Goal(
                f"create_{callers}",
                f"create acknowledged, {callers} at once",
                "per second",
                "≥ 100" if callers == best else "-",
                least=100 if callers == best else None,
            )
            for callers in CREATING
        ),
        Goal("get", "get, one after the other, p50", "ms", "-"),
        Goal("gets", f"get, {best} at once", "per second", "-"),
        Goal("latency_p50", "patch sent -> event with each of 10 watchers, p50", "ms", "-"),
        Goal("latency_p99", "  p99", "ms", "-"),
        Goal("fan_out", f"events to {watchers} watchers", "per second", "-"),
        Goal("memory", f"memory of the operator after all that, {many} CRs and more", "MB", "-"),
    ]
