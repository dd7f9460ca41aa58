"""Runs ``python -m hourglass_cli.demo_performer`` as a process of its own."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class RunningPerformer:
    process: asyncio.subprocess.Process
    address: str


@asynccontextmanager
async def demo_performer(*flags: str, **environ: str) -> AsyncIterator[RunningPerformer]:
    """Start one on a free port and wait until it listens; it is killed on the way out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hourglass_cli.demo_performer",
        "--port=0",
        *flags,
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 16,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        listening = re.search(r"listening on (\S+)", line)
        assert listening, line
        yield RunningPerformer(process, listening[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # reads to the end, so that the pipes are closed
