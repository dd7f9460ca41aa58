"""What the operator's own settings take."""

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.settings import load_settings
from hourglass_operator.settings import ENV_PREFIX, ControlSettings, OperatorSettings


def watched(text: str) -> tuple[str, ...]:
    environ = {f"{ENV_PREFIX}WATCH_NAMESPACES": text}
    settings = load_settings(OperatorSettings, environ=environ, env_prefix=ENV_PREFIX)
    return settings.watch_namespaces


def test_namespaces_are_separated_by_commas_and_each_is_watched_once() -> None:
    assert watched("b,a,b") == ("a", "b")
    assert watched("") == ()
    assert watched("[b, a]") == ("a", "b")


def test_a_name_that_no_namespace_can_have_is_refused() -> None:
    with pytest.raises(HourglassError, match="'a/b' is not the name of a namespace"):
        watched("a/b")


def control(**given: object) -> ControlSettings:
    return load_settings(
        OperatorSettings,
        environ={},
        env_prefix=ENV_PREFIX,
        flags={f"control.{key}": value for key, value in given.items()},
    ).control


TLS = {"certificate_file": "tls.crt", "key_file": "tls.key"}


@pytest.mark.parametrize(
    ("given", "authenticates"),
    [
        ({}, False),
        ({"address": "localhost:1"}, False),
        ({"tls": TLS}, True),
        ({"authentication": "Required"}, True),
        ({"authentication": "None", "tls": TLS}, False),
        ({"address": ":50051"}, True),
        ({"address": "10.0.0.1:50051", "tls": TLS}, True),
        ({"address": "0.0.0.0:50051", "insecure": True, "authentication": "None"}, False),
    ],
)
def test_callers_are_known_unless_they_are_on_this_machine_or_it_is_spelled_out(
    given: dict[str, object], authenticates: bool
) -> None:
    assert control(**given).authenticates is authenticates


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"address": ":1", "authentication": "None"}, "say insecure: true as well"),
        ({"address": ":1", "authentication": "None", "tls": TLS}, "say insecure: true as well"),
        ({"address": ":1", "insecure": True}, "nobody can be known"),
        ({"tls": {"certificate_file": "a"}}, "need each other"),
        ({"tls": {"client_ca_file": "a"}}, "needs certificate_file"),
        ({"channelz_address": ":50052"}, "other machines"),
        ({"audience": ""}, "audience"),
    ],
)
def test_settings_with_which_the_wrong_ones_could_call_are_refused(
    given: dict[str, object], word: str
) -> None:
    with pytest.raises(HourglassError, match=word):
        control(**given)
