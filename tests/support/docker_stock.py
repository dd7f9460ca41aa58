"""The images of one session of tests, in a registry's folder: pushed once, whoever asks first."""

import asyncio

import pytest

from .docker_daemon import Stock, stock, why_no_docker, why_no_registry

_made: dict[str, Stock] = {}


def stocked(folders: pytest.TempPathFactory) -> Stock:
    """Return this session's images; skips with the reason where there can not be any."""
    if reason := why_no_docker() or why_no_registry():
        pytest.skip(reason)
    session = str(folders.getbasetemp())
    if session not in _made:
        _made[session] = asyncio.run(stock(folders.mktemp("stock")))
    return _made[session]
