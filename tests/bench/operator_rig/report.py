"""What is wanted of the operator, and the rows and the table that say whether it is so. Pure."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

FLOOR_SECONDS = 8.1
FLOOR_MARGIN = 1.2
"""The bare client took 8.1 s where the goals were set; 20 % more is another machine or client."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: Performers in each measurement, seconds of idleness."""

    single: int = 50
    some: int = 200
    many: int = 1000
    idle_seconds: int = 60

    @property
    def is_full(self) -> bool:
        return self == Size()


@dataclass(frozen=True, slots=True)
class Goal:
    """One row's promise: at most ``limit``, at least ``least``, and at most ``ratio`` times the
    bare client's figure.

    ``reference`` is the reference operator's figure, measured on a rig with four controllers, no
    ReplicaSets and no nodes.
    """

    key: str
    measure: str
    unit: str
    wanted: str
    reference: str = "-"
    limit: float | None = None
    ratio: float | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What came out: ``value`` and ``bare`` are medians over ``runs``, None where there is none."""

    key: str
    measure: str
    value: float | None
    unit: str
    wanted: str
    met: bool
    bare: float | None
    ratio: float | None
    reference: str
    runs: tuple[float, ...]


def goals(size: Size) -> list[Goal]:
    """Return the rows in their order. Figures that belong to the full size are left out else."""
    return [*_creation(size), *_readiness(size), *_rest(size)]


def _creation(size: Size) -> list[Goal]:
    many, some, full = size.many, size.some, size.is_full
    at_once = "CRs at once -> all children and first status"
    near = partial(Goal, unit="s", wanted="≤ 1.3x of the bare client", ratio=1.3)
    floor = f"the bare client itself: {many} x ReplicaSet + Service + status"
    ceiling = FLOOR_MARGIN * FLOOR_SECONDS
    return [
        Goal(
            "single",
            "one CR created -> its children exist, p50",
            "ms",
            "≤ 1.5x of the bare client",
            "114 (24-36 where its limiter did not bite)",
            ratio=1.5,
        ),
        near("some", f"{some} {at_once}", reference="19.8" if full else "-"),
        near("many", f"{many} {at_once}", reference="102.5" if full else "-"),
        near("many_nodes", "  the same, scheduler and kwok beside"),
        Goal(
            "floor",
            floor,
            "s",
            f"≤ {FLOOR_MARGIN:g} x {FLOOR_SECONDS:g}" if full else "-",
            limit=ceiling if full else None,
        ),
    ]


def _readiness(size: Size) -> list[Goal]:
    together = f"{size.many} pods made Ready together -> all CRs Ready"
    change = "image change, pod bound, 10 s termination: without an instance"
    known = "53" if size.is_full else "-"
    return [
        Goal("ready_p50", "pod Ready -> CR Ready, p50", "ms", "≤ 20", "49", limit=20),
        Goal("ready_p95", "pod Ready -> CR Ready, p95", "ms", "≤ 40", "101", limit=40),
        Goal("together", together, "s", "≤ 8", known, limit=8),
        Goal("gap", change, "s", "0", "11", limit=0),
        Goal("untrue", "  of these with the CR saying ready", "s", "0", "11", limit=0),
    ]


def _rest(size: Size) -> list[Goal]:
    many, full = size.many, size.is_full
    idle = f"API writes in {size.idle_seconds} s of idleness with {many} CRs, Leases aside"
    restart = f"restart with {many} CRs -> ready and reconciled"
    return [
        Goal("idle", idle, "writes", "0", "2400 (40 per second)" if full else "-", limit=0),
        Goal(
            "requests",
            "API requests per default CR, create to Ready",
            "requests",
            "≤ 5",
            "10",
            limit=5,
        ),
        Goal("memory", f"memory at {many} CRs", "MB", "≤ 130", "68" if full else "-", limit=130),
        Goal("restart", restart, "s", "≤ 5", limit=5),
        Goal("touched", "  pods touched by it", "pods", "0", limit=0),
    ]


def judge(goal: Goal, ours: Sequence[float], bare: Sequence[float]) -> Row:
    """Return the row for the figures of all runs. What was not measured is not met."""
    value = statistics.median(ours) if ours else None
    floor = statistics.median(bare) if bare else None
    ratio = value / floor if value is not None and floor else None
    met = value is not None
    if value is not None and goal.limit is not None:
        met = value <= goal.limit
    if value is not None and goal.least is not None:
        met = met and value >= goal.least
    if goal.ratio is not None:
        met = met and ratio is not None and ratio <= goal.ratio
    return Row(
        key=goal.key,
        measure=goal.measure,
        value=_rounded(value),
        unit=goal.unit,
        wanted=goal.wanted,
        met=met,
        bare=_rounded(floor),
        ratio=_rounded(ratio),
        reference=goal.reference,
        runs=tuple(round(figure, 4) for figure in ours),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(rows: Sequence[Row]) -> str:
    """Return the rows for people, side by side with the reference operator's."""
    head = ("measure", "reference", "bare client", "ours", "wanted", "")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(
    rows: Sequence[Row], machine: Mapping[str, object], method: Mapping[str, object]
) -> dict[str, object]:
    return {"machine": machine, "method": method, "rows": [asdict(row) for row in rows]}


def _cells(row: Row) -> tuple[str, ...]:
    times = f" = {row.ratio:g}x" if row.ratio is not None else ""
    ours = "not measured" if row.value is None else f"{row.value:g} {row.unit}{times}"
    bare = "-" if row.bare is None else f"{row.bare:g}"
    return row.measure, row.reference, bare, ours, row.wanted, "met" if row.met else "MISSED"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
