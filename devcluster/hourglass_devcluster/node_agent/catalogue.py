"""Which command an image stands for: a small catalogue instead of a registry."""

import re
import shlex
import sys

from hourglass_common.domain.errors import Code, HourglassError

PROCESS_PREFIX = "process://"
_DIGEST = re.compile(r"@sha256:[0-9a-f]+$")
_TAG = re.compile(r":\w[\w.-]{0,127}$")

KNOWN_IMAGES: dict[str, tuple[str, ...]] = {
    "demo-performer": (sys.executable, "-m", "hourglass_cli.demo_performer"),
}


def command_of(image: str) -> tuple[str, ...]:
    """Return the words to run for ``image``, whatever its registry, tag or digest.

    ``process:///absolute/path`` or ``process://command with 'its words'`` is a command of the
    user's own. NOT_FOUND (reason ErrImagePull) names what there is.
    """
    plain = _DIGEST.sub("", image)
    if plain.startswith(PROCESS_PREFIX):
        try:
            words = tuple(shlex.split(plain.removeprefix(PROCESS_PREFIX)))
        except ValueError as exc:
            raise _unknown(image, f"its quotes do not match ({exc})") from exc
        if not words:
            raise _unknown(image, "it names no command")
        # A tag can only be told from an argument such as host:port where there are no arguments.
        return (_TAG.sub("", words[0]),) if len(words) == 1 else words
    name = _TAG.sub("", plain.rpartition("/")[2])
    if name not in KNOWN_IMAGES:
        raise _unknown(image, "the dev cluster has no such image")
    return KNOWN_IMAGES[name]


def _unknown(image: str, why: str) -> HourglassError:
    known = ", ".join(sorted(KNOWN_IMAGES))
    return HourglassError(
        Code.NOT_FOUND,
        f'image "{image}": {why}; it runs {known} (with any registry and tag) '
        f"and {PROCESS_PREFIX}<path or command>",
        reason="ErrImagePull",
    )
