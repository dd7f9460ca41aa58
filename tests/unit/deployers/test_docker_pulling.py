"""How far a pull has come, from lines as Docker Engine 20.10 and Podman 4.3 tell them."""

from typing import Any

import pytest
from hourglass_executor.deployers.docker.pulling import PullProgress

DOCKER: tuple[dict[str, Any], ...] = (
    {"status": "Pulling from demo", "id": "v1"},
    {"status": "Already exists", "progressDetail": {}, "id": "aaa"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "bbb"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "ccc"},
    {"status": "Waiting", "progressDetail": {}, "id": "ccc"},
    {
        "status": "Downloading",
        "progressDetail": {"current": 1_500_000, "total": 4_000_000},
        "progress": "[===>   ]",
        "id": "bbb",
    },
    {"status": "Verifying Checksum", "progressDetail": {}, "id": "bbb"},
    {"status": "Download complete", "progressDetail": {}, "id": "bbb"},
    {
        "status": "Extracting",
        "progressDetail": {"current": 32_768, "total": 4_000_000},
        "id": "bbb",
    },
    {"status": "Pull complete", "progressDetail": {}, "id": "bbb"},
    {"status": "Digest: sha256:1234"},
    {"status": "Status: Downloaded newer image for demo:v1"},
)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (0, "0 of 0 layers"),
        (2, "1 of 1 layers"),
        (5, "1 of 3 layers"),
        (6, "1 of 3 layers, 1.5 of 4.0 MB"),
        (7, "1 of 3 layers, 4.0 of 4.0 MB"),
        (9, "1 of 3 layers, 4.0 of 4.0 MB"),
        (12, "2 of 3 layers, 4.0 of 4.0 MB"),
    ],
)
def test_progress_counts_layers_and_bytes(lines: int, text: str) -> None:
    progress = PullProgress("demo:v1")
    for line in DOCKER[:lines]:
        progress.take(line)
    assert str(progress) == f"image demo:v1 is being pulled: {text}"


def test_words_that_are_not_known_change_nothing() -> None:
    progress = PullProgress("demo:v1")
    for line in (
        {"stream": "Trying to pull r.test/demo:v1...\n"},
        {"status": "Something new", "id": "aaa"},
        {"id": "sha256:1234"},
        {"status": "Downloading", "id": "bbb", "progressDetail": None},
    ):
        progress.take(line)
    assert str(progress).endswith("0 of 1 layers")
