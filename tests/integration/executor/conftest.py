"""Kubernetes mode runs on each of the two API servers."""

import pytest

from tests.support.targets import DEV, REAL, dev_api, plane

__all__ = ["dev_api", "plane"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "plane" in metafunc.fixturenames:
        metafunc.parametrize("plane", [REAL, DEV], indirect=True)
