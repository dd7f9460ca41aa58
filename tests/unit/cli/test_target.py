"""Where a command asks: flags before the environment, and one way as a rule."""

from pathlib import Path

import pytest
from hourglass_cli.target import Program, Target, Way

CONTROL = {"HOURGLASS_CONTROL": "far:1"}


@pytest.mark.parametrize(
    ("target", "environ", "program", "way"),
    [
        (Target(), {}, Program.HOURGLASS, Way.CONTROL),
        (Target(), {}, Program.KUBECTL, Way.KUBECONFIG),
        (Target(), {"KUBECONFIG": "k"}, Program.HOURGLASS, Way.CONTROL),
        (Target(kubeconfig=Path("k")), {}, Program.HOURGLASS, Way.KUBECONFIG),
        (Target(context="c"), {}, Program.HOURGLASS, Way.KUBECONFIG),
        (Target(control="near:1"), {}, Program.KUBECTL, Way.CONTROL),
        (Target(), CONTROL, Program.KUBECTL, Way.CONTROL),
        (Target(context="c"), CONTROL, Program.HOURGLASS, Way.KUBECONFIG),
    ],
)
def test_the_way_is_what_is_named_first(
    target: Target, environ: dict[str, str], program: Program, way: Way
) -> None:
    assert target.resolved(environ).way(program) is way


def test_flags_count_before_the_environment() -> None:
    environ = {
        **CONTROL,
        "HOURGLASS_NAMESPACE": "env",
        "HOURGLASS_TOKEN_FILE": "/env",
        "HOURGLASS_CA_FILE": "/env-ca",
    }
    found = Target(control="near:1", namespace="flag", token="flag").resolved(environ)
    assert (found.control, found.namespace, found.token) == ("near:1", "flag", "flag")
    assert (found.token_file, found.ca_file) == (None, Path("/env-ca"))


def test_a_certificate_or_its_authority_means_tls() -> None:
    assert not Target(token="t").wants_tls
    assert Target(ca_file=Path("ca")).wants_tls
    assert Target(server_name="x").wants_tls
