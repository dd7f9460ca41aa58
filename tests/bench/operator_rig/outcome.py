"""What a bench ends with: its rows judged, written down and printed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.operator_rig import report
from tests.bench.operator_rig.run import Figures

ROOT = Path(__file__).resolve().parents[3]


def judged(goals: Iterable[report.Goal], figures: Figures) -> list[report.Row]:
    """Return the row of each goal."""
    return [
        report.judge(goal, figures.ours.get(goal.key, ()), figures.bare.get(goal.key, ()))
        for goal in goals
    ]


def tell(
    rows: Sequence[report.Row],
    here: Mapping[str, object],
    figures: Figures,
    method: Mapping[str, object],
    result: Path,
    words: Iterable[str] = (),
) -> None:
    """Write ``result``, and print the table with ``words`` below it; ``here`` is the machine."""
    beside = {"beside": {**figures.bare, **figures.beside}, "notes": figures.notes}
    content = report.as_json(rows, here, {**method, **beside})
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(report.table(rows))
    for line in words:
        print(line)
    print(f"load average before: {here['load_average']}; written: {result.relative_to(ROOT)}")
