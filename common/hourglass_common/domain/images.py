"""Where an image comes from, as containerd and docker read its reference. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .names import IMAGE

MAX_IMAGE_LENGTH = 1024
DOCKER_HUB = "docker.io"
OFFICIAL = "library"
OLD_DOCKER_HUB = "index.docker.io"

PROCESS = "process://"
"""A command instead of an image, which the dev cluster runs: from no registry, without a digest."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """``repository`` is whole, as in ``docker.io/library/demo``; ``digest`` "" where none is."""

    repository: str
    digest: str

    def is_from(self, allowed: Iterable[str]) -> bool:
        """Whether it is one of these repositories, or is below one of them.

        Each begins with a registry, and may go on with a path: ``ghcr.io``, ``ghcr.io/team``.
        """
        return any(f"{self.repository}/".startswith(f"{one}/") for one in allowed)


def parse_image(text: str) -> ImageReference | None:
    """Return what ``text`` refers to, None if it is no reference: the CRD refuses those."""
    if len(text) > MAX_IMAGE_LENGTH or not IMAGE.accepts(text):
        return None
    if text.startswith(PROCESS):
        return ImageReference(text, "")
    name, _, digest = text.partition("@")
    slash, colon = name.rfind("/"), name.rfind(":")
    path = name[:colon] if colon > slash else name
    return ImageReference(_whole(path), digest)


def _whole(path: str) -> str:
    first, slash, rest = path.partition("/")
    if not slash:
        return f"{DOCKER_HUB}/{OFFICIAL}/{path}"
    if not is_registry(first):
        return f"{DOCKER_HUB}/{path}"
    if first not in (DOCKER_HUB, OLD_DOCKER_HUB):
        return path
    return f"{DOCKER_HUB}/{rest}" if "/" in rest else f"{DOCKER_HUB}/{OFFICIAL}/{rest}"


def is_registry(first: str) -> bool:
    """Whether what is before the first slash names a registry, and not a part of Docker Hub."""
    return first == "localhost" or any(c in ".:" for c in first) or first != first.lower()
