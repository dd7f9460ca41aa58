"""Generate the Python code beside each .proto file; with --check, fail where it differs.

The generated files are checked in, so that a clone runs without protoc.
"""

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent / "proto"
BIN = Path(sys.executable).parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def generate(out: Path) -> None:
    """Write the code for every .proto under ``proto/`` to ``out``, in the same folders."""
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.proto"))
    arguments = [
        "protoc",
        f"-I{ROOT}",
        f"-I{files('grpc_tools') / '_proto'}",
        *(
            f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}"
            for name in ("mypy", "mypy_grpc")
        ),
        f"--python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--grpc_python_out={out}",
        f"--mypy_grpc_out=quiet:{out}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("generate_proto: protoc failed; its message is above")
    for path in out.rglob("*_pb2_grpc.py*"):
        if not (out / path).read_text().count("Servicer"):
            path.unlink()  # no service in that file


def generated(folder: Path) -> dict[str, str]:
    """Return the generated files of ``folder`` by their relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(SUFFIXES)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on drift")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        wanted, found = generated(Path(folder)), generated(ROOT)
    drifted = sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )
    if check and drifted:
        sys.exit("generate_proto: not up to date, run `make proto`: " + ", ".join(drifted))
    for name in drifted:
        target = ROOT / name
        if name in wanted:
            target.write_text(wanted[name])
        else:
            target.unlink()


if __name__ == "__main__":
    main()
