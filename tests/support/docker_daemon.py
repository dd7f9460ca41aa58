"""A real Docker Engine for tests, and an image of the demo performer made on this machine."""

import asyncio
import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

BASE = "python:3.11-slim-bookworm"
IMAGE = "hourglass-test/demo-performer"
SOURCES = ("common/hourglass_common", "services/hourglass_services", "cli/hourglass_cli")
PACKAGES = ("grpc", "grpc_health", "grpc_reflection", "google", "typing_extensions")
DOCKERFILE = f"""FROM {BASE}
COPY packages /packages
ENV PYTHONPATH=/packages DEMO_PERFORMER_HOST=0.0.0.0
ENTRYPOINT ["python", "-m", "hourglass_cli.demo_performer"]
"""
REPOSITORY = Path(__file__).parents[2]


def why_no_docker() -> str:
    """Return why tests can not use a Docker Engine here, "" if they can."""
    if shutil.which("docker") is None:
        return "no docker in PATH"
    asked = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return "no Docker Engine answers"
    base = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    if base.returncode != 0:
        return f"the image {BASE} is not here"
    if sys.version_info[:2] != (3, 11):
        return f"the image is of Python 3.11, these packages are of {sys.version.split()[0]}"
    return ""


async def demo_image(folder: Path, tag: str = "v1") -> str:
    """Build the demo performer's image, if this machine has none of these sources, and name it."""
    context = folder / "image"
    await asyncio.to_thread(_fill, context)
    mark = await asyncio.to_thread(_digest, context)
    name = f"{IMAGE}:{tag}-{mark}"
    if await docker("image", "inspect", name, check=False) != 0:
        await docker("build", "--network=none", "--quiet", "--tag", name, str(context))
    return name


@dataclass(frozen=True, slots=True)
class Stock:
    """Two images that differ in a label, in a registry's folder as ``demo``.

    ``image`` is the first as it is called here; ``digests`` are theirs in the registry.
    """

    folder: Path
    image: str
    digests: tuple[str, str]


def why_no_registry() -> str:
    """Return why tests can not pull from a registry of their own, "" if they can."""
    missing = [name for name in ("docker-registry", "htpasswd") if shutil.which(name) is None]
    return f"no {' and no '.join(missing)} in PATH" if missing else ""


async def stock(folder: Path) -> Stock:
    """Build the images, and push them into a folder that registries can be started on."""
    image = await demo_image(folder)
    images = (image, await variant(folder, image, "two"))
    blobs = folder / "blobs"
    async with registry(folder, blobs) as hub:
        first, second = [await pushed(each, hub, "demo", f"v{n}") for n, each in enumerate(images)]
    return Stock(blobs, image, (first, second))


async def variant(folder: Path, image: str, mark: str) -> str:
    """Return an image that differs from ``image`` in a label."""
    context = folder / mark
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {image}\nLABEL variant={mark}\n")
    name = f"hourglass-test/variant:{mark}"
    await docker("build", "--quiet", "--tag", name, str(context))
    return name


@asynccontextmanager
async def registry(
    folder: Path, blobs: Path, *, user: str = "", password: str = ""
) -> AsyncIterator[str]:
    """Run a registry on a loopback port; gives its ``host:port``. With a user it asks for one."""
    program = shutil.which("docker-registry")
    assert program is not None
    port = free_port()
    access = ""
    if user:
        hashed = subprocess.run(
            ["htpasswd", "-Bbn", user, password], capture_output=True, text=True, check=True
        ).stdout
        (folder / "htpasswd").write_text(hashed)
        access = f"auth:\n  htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}\n"
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {blobs}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n" + access
    )
    process = await asyncio.create_subprocess_exec(
        program,
        "serve",
        str(config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await listening(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    """Return once something accepts connections on a loopback port."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


async def pushed(image: str, registry: str, name: str, tag: str) -> str:
    """Push a local image to ``registry/name`` and return its digest there."""
    target = f"{registry}/{name}:{tag}"
    await docker("tag", image, target)
    await docker("push", target)
    found = subprocess.run(
        ["docker", "inspect", "--format={{json .RepoDigests}}", target],
        capture_output=True,
        text=True,
        check=True,
    )
    (own,) = [each for each in json.loads(found.stdout) if each.startswith(f"{registry}/")]
    await docker("rmi", "--force", target, own)
    return str(own).rpartition("@")[2]


async def docker_says(*arguments: str) -> str:
    """Return what the command prints."""
    process = await asyncio.create_subprocess_exec(
        "docker", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return out.decode()


async def docker(*arguments: str, check: bool = True) -> int:
    process = await asyncio.create_subprocess_exec(
        "docker", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0 or not check, f"docker {arguments}: {out.decode()}"
    return process.returncode or 0


def _fill(context: Path) -> None:
    packages = context / "packages"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in PACKAGES:
        found = find_spec(name)
        assert found is not None, name
        for place in found.submodule_search_locations or ():
            shutil.copytree(place, packages / name, ignore=ignored, dirs_exist_ok=True)
        if not found.submodule_search_locations and found.origin:
            packages.mkdir(parents=True, exist_ok=True)
            shutil.copy(found.origin, packages)
    for source in (*SOURCES, "proto/eigenlayer"):
        target = packages / Path(source).name
        shutil.copytree(REPOSITORY / source, target, ignore=ignored, dirs_exist_ok=True)
    (context / "Dockerfile").write_text(DOCKERFILE)


def _digest(context: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(context.rglob("*.py")):
        found.update(str(path.relative_to(context)).encode() + path.read_bytes())
    return found.hexdigest()[:12]
