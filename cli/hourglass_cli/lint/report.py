"""The report of ``hourglass performer lint`` over files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .documents import UnreadableError, documents
from .findings import Finding, findings, is_performer


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding and where it was made; ``place`` is the document's number."""

    file: str
    place: str
    name: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Report:
    entries: tuple[Entry, ...]
    performers: int

    @property
    def errors(self) -> int:
        return sum(entry.finding.severity == "error" for entry in self.entries)

    @property
    def summary(self) -> str:
        warnings = len(self.entries) - self.errors
        return f"performers: {self.performers}, violations: {self.errors}, warnings: {warnings}"


def check(paths: Iterable[Path]) -> Report:
    """Return all that is found in the files; OSError if one can not be read."""
    entries: list[Entry] = []
    performers = 0
    for path in paths:
        name, last = str(path), "0"
        try:
            for document in documents(path):
                name, last = document.file, document.place
                if not is_performer(document.content):
                    continue
                performers += 1
                shown = _name(document.content)
                entries += [
                    Entry(name, last, shown, finding) for finding in findings(document.content)
                ]
        except UnreadableError as error:
            after = str(int(last.partition("[")[0]) + 1)
            entries.append(Entry(name, after, "", Finding("error", "", f"no YAML: {error}")))
    if not performers and not entries:
        entries.append(Entry("-", "0", "", Finding("error", "", "there is no Performer")))
    return Report(tuple(entries), performers)


def as_text(report: Report) -> str:
    """Return one line for each finding."""
    return "".join(
        f"{entry.file}:{entry.place}: {_said(entry.finding)}\n" for entry in report.entries
    )


def as_json(report: Report) -> str:
    """Return the findings as a list of objects."""
    found = [
        {
            "file": entry.file,
            "document": entry.place,
            "name": entry.name,
            "severity": entry.finding.severity,
            "field": entry.finding.field,
            "message": entry.finding.text,
        }
        for entry in report.entries
    ]
    return json.dumps(found, indent=2) + "\n"


def _said(finding: Finding) -> str:
    parts = ["warning" if finding.severity == "warning" else "", finding.field, finding.text]
    return ": ".join(part for part in parts if part)


def _name(content: Mapping[str, Any]) -> str:
    metadata = content.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""
