"""The tours of the README and of the how-tos, run as a reader would run them, outputs compared."""

import os
import sys
from pathlib import Path

import pytest
from hourglass_cli.dev.claims import claim_ports
from hourglass_cli.dev.options import Ports
from hourglass_common.domain.errors import HourglassError

from tests.support.dev_run import FREE_PORTS, REPOSITORY, hourglass_dev, tool
from tests.support.tours import steps, walk


def has_the_reader_s_ports() -> bool:
    try:
        claim_ports(Ports())
    except HourglassError:
        return False
    return True


TOURS = (
    "README.md",
    "docs/how-to/look-into-an-executor.md",
    "docs/how-to/roll-out.md",
    "docs/how-to/use-the-command-line.md",
    "docs/how-to/use-the-control-api.md",
)


@pytest.mark.parametrize("document", TOURS)
def test_the_documents_have_a_tour(document: str) -> None:
    found = list(steps((REPOSITORY / document).read_text()))
    assert len(found) >= 5
    assert all(step.expected for step in found)


@pytest.mark.parametrize("document", TOURS)
async def test_the_tour_does_what_the_document_says(document: str, tmp_path: Path) -> None:
    missing = [name for name in ("kubectl", "grpcurl") if tool(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} neither in KUBEBUILDER_ASSETS nor in PATH")
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    ports = () if has_the_reader_s_ports() else FREE_PORTS
    async with hourglass_dev(tmp_path / ".hourglass", ports=ports) as dev:
        actual = {
            f"127.0.0.1:{Ports().executor_port}": dev.addresses["executor"],
            f"127.0.0.1:{Ports().control_port}": dev.addresses["performerControl"],
        }
        environ = {
            "HOME": str(tmp_path),
            "PATH": os.pathsep.join(
                (os.path.dirname(sys.executable), os.environ.get("KUBEBUILDER_ASSETS", ""))
            )
            + os.pathsep
            + os.environ["PATH"],
            "HOURGLASS_EXECUTOR": dev.addresses["executor"],
            "HOURGLASS_CONTROL": dev.addresses["performerControl"],
        }
        document_text = (REPOSITORY / document).read_text()
        await walk(steps(document_text), actual, cwd=tmp_path, environ=environ)
