"""Runs foreign programs (kubectl, helm) on a cluster, each with a home directory of its own."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0


def find(program: str) -> Path | None:
    """Return a program's path: from ``$KUBEBUILDER_ASSETS``, else from PATH."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / program).exists():
        return Path(assets) / program
    found = shutil.which(program)
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands in ``namespace`` of the cluster that ``kubeconfig`` names; ``home`` is scratch."""

    kubeconfig: Path
    namespace: str
    home: Path

    async def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return await self.run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin)

    async def helm(self, *arguments: str, program: str = "helm") -> str:
        return await self.run(program, "--namespace", self.namespace, *arguments)

    async def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """Return what the program printed; AssertionError with all of it where it failed."""
        path = find(program)
        assert path is not None, f"{program} is not installed"
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)},
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin.encode())
        said = " ".join((program, *arguments))
        assert process.returncode == 0, f"{said}: {out.decode()}{err.decode()}"
        return out.decode()
