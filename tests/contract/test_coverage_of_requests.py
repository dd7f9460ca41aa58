"""Nothing that our programs or kubectl ask of Kubernetes goes without a contract case.

A program's request has to be in ``requests_of_programs.txt``, and what is there has to be covered
by a case. The audit log that is read is the control plane's of this run: run after the tests
that drive the programs, it holds their requests.
"""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.audit_log import audited_name, requests_of_programs
from tests.support.control_plane import ControlPlane

FOLDER = Path(__file__).parent
TABLE = FOLDER / "requests_of_programs.txt"


def table() -> set[str]:
    lines = (line.partition("#")[0].strip() for line in TABLE.read_text().splitlines())
    return {line for line in lines if line}


def covered() -> set[str]:
    """Return what the cases of this folder declare."""
    found: set[str] = set()
    for path in FOLDER.glob("test_*.py"):
        if path != Path(__file__):
            module = importlib.import_module(f"tests.contract.{path.stem}")
            for value in vars(module).values():
                for mark in getattr(value, "pytestmark", ()):
                    found |= declared(mark)
    return found


def declared(mark: pytest.Mark) -> set[str]:
    if mark.name == "covers":
        return set(mark.args)
    found: set[str] = set()
    if mark.name == "parametrize":
        for case in mark.args[1]:
            for inner in getattr(case, "marks", ()):
                found |= declared(getattr(inner, "mark", inner))
    return found


def test_every_request_of_the_table_has_a_case() -> None:
    missing = table() - covered()
    assert not missing, f"write a case that @covers: {sorted(missing)}"


def test_every_request_that_was_made_is_in_the_table(real_api: ControlPlane) -> None:
    made = requests_of_programs(real_api.audit_log)
    unknown = {name: agent for name, agent in made.items() if name not in table()}
    assert not unknown, f"add to {TABLE.name}, with a case each: {unknown}"


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (
            {
                "verb": "patch",
                "userAgent": "hourglass/0.1.0 (apply)",
                "requestURI": "/apis/apps/v1/namespaces/x/replicasets/r?fieldManager=f&force=true",
                "objectRef": {"resource": "replicasets", "apiGroup": "apps", "name": "r"},
            },
            "patch replicasets.apps apply",
        ),
        (
            {
                "verb": "patch",
                "userAgent": "kubectl/v1.36.0",
                "requestURI": "/api/v1/namespaces/x/pods/p?fieldManager=kubectl-client-side-apply",
                "objectRef": {"resource": "pods", "name": "p"},
            },
            "patch pods strategic",
        ),
        (
            {
                "verb": "patch",
                "userAgent": "kubectl/v1.36.0",
                "requestURI": "/x?fieldManager=kubectl&force=false",
                "objectRef": {"resource": "services", "name": "p", "subresource": "status"},
            },
            "patch services/status apply",
        ),
        (
            {"verb": "get", "userAgent": "kubectl/v1", "requestURI": "/openapi/v3?timeout=32s"},
            "get /openapi/v3",
        ),
    ],
)
def test_audited_requests_are_named_as_the_cases_name_theirs(
    event: dict[str, Any], name: str
) -> None:
    assert audited_name(event) == name
