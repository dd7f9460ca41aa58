"""What the operator's own settings take."""

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.settings import load_settings
from hourglass_operator.settings import ENV_PREFIX, OperatorSettings


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
