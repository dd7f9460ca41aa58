"""Registry credentials as ``docker login`` keeps them, as the engine wants them."""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError

HELPER_SECONDS = 20.0
DOCKER_HUB = "https://index.docker.io/v1/"
Json = Mapping[str, Any]


def registry_of(image: str) -> str:
    """Return the registry of an image reference, as credentials name it."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return DOCKER_HUB


async def registry_auth(image: str, config: Path | None) -> str:
    """Return the value of X-Registry-Auth for an image, "" where nothing is known of its registry.

    ``config`` is docker's config.json; credential helpers that it names are asked.
    FAILED_PRECONDITION if it, or a helper, can not be read.
    """
    content = await asyncio.to_thread(_read, config) if config is not None else None
    if config is None or content is None:
        return ""
    registry = registry_of(image)
    helper = (content.get("credHelpers") or {}).get(registry) or content.get("credsStore")
    if helper:
        found = await _ask(str(helper), registry)
        if found is not None:
            return encoded(registry, found["Username"], found["Secret"])
    entry = (content.get("auths") or {}).get(registry)
    return _of_entry(registry, entry, config) if entry else ""


def _read(config: Path) -> Json | None:
    try:
        found: Json = json.loads(config.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise _bad(config, str(exc)) from exc
    return found


def encoded(registry: str, user: str, password: str) -> str:
    """Return the header: URL-safe base64 of JSON; a user of ``<token>`` means an identity token."""
    body = {"serveraddress": registry}
    if user == "<token>":
        body["identitytoken"] = password
    else:
        body |= {"username": user, "password": password}
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode()


def _of_entry(registry: str, entry: Json, config: Path) -> str:
    if entry.get("identitytoken"):
        return encoded(registry, "<token>", str(entry["identitytoken"]))
    try:
        text = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise _bad(config, f"auths[{registry!r}].auth is not base64") from exc
    user, _, password = text.partition(":")
    return encoded(registry, user, password) if user else ""


async def _ask(helper: str, registry: str) -> Json | None:
    """Ask a credential helper; None where it knows nothing of the registry."""
    program = f"docker-credential-{helper}"
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(HELPER_SECONDS):
            out, _ = await process.communicate(registry.encode())
    except (OSError, TimeoutError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the credential helper {program} can not be asked: {exc or type(exc).__name__}",
            reason="CREDENTIAL_HELPER",
            hint="install it, or take credsStore and credHelpers out of docker's config.json",
        ) from exc
    try:
        found: Json = json.loads(out)
        return found if process.returncode == 0 and found.get("Username") else None
    except ValueError:
        return None


def _bad(config: Path, what: str) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"{config} can not be read: {what}",
        reason="DOCKER_CONFIG",
        hint="docker login writes it anew",
    )
