"""Write deploy/crd from the Python types; with --check, fail where it differs."""

import argparse
import sys
from pathlib import Path

import yaml
from hourglass_common.domain.performer_crd import performer_crd

TARGET = (
    Path(__file__).resolve().parent.parent / "deploy/crd/performers.hourglass.eigenlayer.io.yaml"
)
HEADER = "# Generated from hourglass_common.domain.performer by `make crd`; do not edit.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    wanted = HEADER + yaml.safe_dump(performer_crd(), sort_keys=False, width=100)
    if parser.parse_args().check:
        if not TARGET.exists() or TARGET.read_text() != wanted:
            sys.exit(f"{TARGET.name} does not match the Python types: run `make crd`")
        return
    TARGET.write_text(wanted)


if __name__ == "__main__":
    main()
