"""Fixtures that every tier shares."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from tests.support.control_plane import ControlPlane, control_plane, why_unavailable

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run what takes minutes in full")
    parser.addoption(
        "--modes", default="process", help="modes of tests/conformance, comma-separated"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Show what the collector finds unclosed where whole programs run, and do not fail for it.

    It is found in whichever test runs when the collector does, which is not the one to blame;
    unit and property tests, where that is the same file as a rule, fail.
    """
    shown = pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if not {"unit", "property"} & set(item.path.relative_to(ROOT / "tests").parts):
            item.add_marker(shown)


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether tests that only repeat themselves do so as often as is promised."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def real_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real kube-apiserver with controller-manager; skips with the reason where there is none."""
    reason = why_unavailable()
    if reason:
        pytest.skip(f"no real control plane: {reason}")
    with control_plane(Path(tmp_path_factory.mktemp("control-plane"))) as plane:
        yield plane


@pytest.fixture
def namespace() -> str:
    """A namespace name that no other test uses; the test creates it."""
    return f"test-{uuid4().hex[:10]}"
