"""Write deploy/admission from the operator's rules; with --check, fail where it differs.

With any other option, print instead the manifests with these words in them.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from hourglass_operator.admission import admission_manifests
from hourglass_operator.settings import PolicySettings

FOLDER = Path(__file__).resolve().parent.parent / "deploy/admission"
NAME, NAMESPACE = "hourglass-operator", "hourglass-system"
HEADER = "# Generated from hourglass_operator.admission by `make admission`; do not edit.\n"


def manifests(name: str, namespace: str, settings: PolicySettings) -> dict[str, str]:
    """Return the YAML documents of each file."""
    found = admission_manifests(settings.policy(), name=name, namespace=namespace)
    return {f"{about}.yaml": _written(documents) for about, documents in found.items()}


def _written(documents: list[dict[str, Any]]) -> str:
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=100)


class _Plain(yaml.SafeDumper):
    """Without anchors: equal parts are written out."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    parser.add_argument("--name", help=f"the operator's service account, {NAME}")
    parser.add_argument("--namespace", help=f"where the operator runs, {NAMESPACE}")
    parser.add_argument("--allowed-registries", help="where images may come from, by commas")
    parser.add_argument("--require-digest", action="store_true", help="images need a digest")
    parser.add_argument("--allow-control-plane", action="store_true", help="on those nodes, too")
    parser.add_argument("--protected-namespaces", help="those without performers, by commas")
    options = {k: v for k, v in vars(parser.parse_args()).items() if v}
    check = options.pop("check", False)
    print_only = bool(options)
    name, namespace = options.pop("name", NAME), options.pop("namespace", NAMESPACE)
    wanted = manifests(name, namespace, PolicySettings(**options))
    if print_only:
        print("---\n".join(wanted.values()), end="")
    elif check:
        _check(wanted)
    else:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for file, text in wanted.items():
            (FOLDER / file).write_text(HEADER + text)


def _check(wanted: dict[str, str]) -> None:
    drifted = [
        file
        for file, text in wanted.items()
        if not (FOLDER / file).exists() or (FOLDER / file).read_text() != HEADER + text
    ]
    if drifted:
        sys.exit(f"{', '.join(drifted)} in deploy/admission: does not match: run `make admission`")


if __name__ == "__main__":
    main()
