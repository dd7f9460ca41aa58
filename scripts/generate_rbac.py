"""Write deploy/rbac from the programs' rules; with --check, fail where it differs.

With --watch-namespaces, print instead the manifests for these namespaces.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from hourglass_executor.rbac import Via, executor_manifests
from hourglass_operator.rbac import rbac_manifests

FOLDER = Path(__file__).resolve().parent.parent / "deploy/rbac"
NAME, NAMESPACE = "hourglass-operator", "hourglass-system"
HEADER = "# Generated from hourglass_operator.rbac by `make rbac`; do not edit.\n"
EXECUTOR = (
    "# Generated from hourglass_executor.rbac by `make rbac`; do not edit.\n"
    "# An executor in kubernetes mode, {via}. Its own performers live in its namespace.\n"
)
ALL = "# The operator watches all namespaces.\n"
NAMED = (
    "# The operator watches the namespaces team-a and team-b: --watch-namespaces team-a,team-b.\n"
    "# For others: python scripts/generate_rbac.py --watch-namespaces one,another\n"
)


def manifests(namespace: str, watched: tuple[str, ...]) -> str:
    """Return the manifests as YAML documents."""
    return _yaml(rbac_manifests(name=NAME, namespace=namespace, watch_namespaces=watched))


def executor(via: Via, words: str) -> str:
    """Return those of an executor, in a namespace that stands for the user's."""
    found = executor_manifests(name="hourglass-executor", namespace="default", via=via)
    return EXECUTOR.format(via=words) + _yaml(found)


def _yaml(found: list[dict[str, Any]]) -> str:
    return yaml.dump_all(found, Dumper=_Plain, sort_keys=False, width=100)


class _Plain(yaml.SafeDumper):
    """Without anchors: equal parts are written out."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    parser.add_argument("--watch-namespaces", default="", help="print those for these")
    parser.add_argument("--namespace", default=NAMESPACE, help="where the operator runs")
    options = parser.parse_args()
    if options.watch_namespaces:
        print(manifests(options.namespace, tuple(options.watch_namespaces.split(","))), end="")
        return
    wanted = {
        "all-namespaces.yaml": HEADER + ALL + manifests(NAMESPACE, ()),
        "named-namespaces.yaml": HEADER + NAMED + manifests(NAMESPACE, ("team-a", "team-b")),
        "executor.yaml": executor("performers", "with its own credentials"),
        "executor-via-control.yaml": executor("control", "through PerformerControl"),
    }
    if options.check:
        drifted = [
            name
            for name, text in wanted.items()
            if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text
        ]
        if drifted:
            sys.exit(f"{', '.join(drifted)} in deploy/rbac: does not match: run `make rbac`")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
