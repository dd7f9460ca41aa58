"""What an image reference means is what containerd and docker take it for."""

import pytest
from hourglass_common.domain.images import MAX_IMAGE_LENGTH, parse_image
from hourglass_common.domain.names import IMAGE

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("demo", "docker.io/library/demo"),
        ("demo:1", "docker.io/library/demo"),
        (f"demo:1@{DIGEST}", "docker.io/library/demo"),
        ("team/demo", "docker.io/team/demo"),
        ("docker.io/demo", "docker.io/library/demo"),
        ("index.docker.io/demo", "docker.io/library/demo"),
        ("index.docker.io/team/demo:1", "docker.io/team/demo"),
        ("docker.io.evil/team/demo", "docker.io.evil/team/demo"),
        ("docker.io:443/team/demo", "docker.io:443/team/demo"),
        ("registry/team/demo", "docker.io/registry/team/demo"),
        ("Registry/team/demo", "Registry/team/demo"),
        ("localhost/demo", "localhost/demo"),
        ("localhost:5000/demo:1", "localhost:5000/demo"),
        ("localhost:5000", "docker.io/library/localhost"),
        ("[::1]:5000/demo", "[::1]:5000/demo"),
        ("ghcr.io/a/b/c:1", "ghcr.io/a/b/c"),
        ("process://python -m demo@x:1".replace(" ", "/"), "process://python/-m/demo@x:1"),
    ],
)
def test_a_reference_names_its_whole_repository(text: str, repository: str) -> None:
    found = parse_image(text)
    assert found is not None
    assert found.repository == repository
    assert found.digest == (DIGEST if text.endswith(DIGEST) else "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Demo",
        "demo:1\n",
        "demo@sha256:abc",
        f"demo@{DIGEST.upper()}",
        "docker.io@evil.example.com/demo",
        "user:password@registry.example.com/demo",
        "registry.example.com:80:80/demo",
        "registry.example.com//demo",
        "https://registry.example.com/demo",
        "registry.ex\N{CYRILLIC SMALL LETTER A}mple.com/demo",
        "process://a b",
        "process://a\N{NO-BREAK SPACE}b\n",
        "a" * 64,
        "process://" + "a" * 1015,
    ],
)
def test_what_the_crd_refuses_is_no_reference(text: str) -> None:
    assert parse_image(text) is None
    assert len(text) > MAX_IMAGE_LENGTH or not IMAGE.accepts(text)


@pytest.mark.parametrize(
    ("text", "allowed", "is_from"),
    [
        ("ghcr.io/team/demo", "ghcr.io", True),
        ("ghcr.io/team/demo", "ghcr.io/team", True),
        ("ghcr.io/team", "ghcr.io/team", True),
        ("ghcr.io/teammate/demo", "ghcr.io/team", False),
        ("ghcr.io:443/team/demo", "ghcr.io", False),
        ("evil.example.com/ghcr.io/demo", "ghcr.io", False),
        ("GHCR.io/team/demo", "ghcr.io", False),
        ("demo", "docker.io/library", True),
        ("team/demo", "docker.io/library", False),
        ("process://demo", "docker.io", False),
    ],
)
def test_a_registry_ends_where_its_name_ends(text: str, allowed: str, is_from: bool) -> None:
    found = parse_image(text)
    assert found is not None
    assert found.is_from(("quay.io", allowed)) is is_from
