"""CEL rules, and the quantities that they compare."""

from typing import Any

import orjson
import pytest
from hourglass_devcluster.model.quantities import parsed
from hourglass_devcluster.model.rules import causes

from tests.support.dev_registry import SCHEMAS


def broken(rule: str, value: Any, **more: Any) -> list[str]:
    schema = {"x-kubernetes-validations": [{"rule": rule, "message": "broken", **more}]}
    return [cause.message for cause in causes(SCHEMAS, schema, value, path="spec")]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1", "1000m"),
        ("1Gi", "1073741824"),
        ("0.5", "500m"),
        (".5", "0.5"),
        ("5.", "+5"),
        ("1.0", "1"),
        ("1e3", "1k"),
        ("1E3", "1000"),
        ("1E", "1000P"),
        ("1E-2", "10m"),
        ("1.5Mi", "1572864"),
        ("1u", "1000n"),
        ("-0", "0"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("9Ei", "9223372036854775807"),
        ("12E", "12000P"),
        ("1e9999", "12E"),
    ],
)
def test_a_quantity_may_be_written_in_many_ways(text: str, same: str) -> None:
    assert parsed(text) == parsed(same)


@pytest.mark.parametrize(
    "text",
    ["", "abc", " 5", "5 ", "1ki", "1K", "1mi", "1KI", "1e", "1_0", "1Gi1", "٣", "1.2.3", "."],
)
def test_what_is_no_quantity_is_told_apart(text: str) -> None:
    with pytest.raises(ValueError, match="quantit"):
        parsed(text)
    (said,) = broken("isQuantity(self)", text)
    assert said.endswith('": broken')


def test_quantities_are_compared_exactly() -> None:
    rule = "quantity(self.a).compareTo(quantity(self.b)) == self.is"
    large, larger = "9223372036854775806", "9223372036854775807"
    for one, other, is_ in (
        ("1", "1000m", 0),
        ("1000000001n", "1", 1),
        ("999999999n", "1", -1),
        (large, larger, -1),
        ("-2", "-1", -1),
    ):
        assert broken(rule, {"a": one, "b": other, "is": is_}) == []
    assert broken("quantity('2').isGreaterThan(quantity('1'))", {}) == []
    assert broken("quantity('2').isLessThan(quantity('1'))", {}) == ["Invalid value: broken"]
    assert broken("quantity('1') == quantity('1000m')", {}) == []


def test_quantities_are_added_and_have_a_sign() -> None:
    assert broken("quantity('1').add(quantity('500m')) == quantity('1.5')", {}) == []
    assert broken("quantity('1').sub(1) == quantity('0')", {}) == []
    assert broken("sign(quantity(self.a)) == self.is", {"a": "-1m", "is": -1}) == []
    assert broken("sign(quantity(self.a)) == self.is", {"a": "0", "is": 0}) == []


def test_a_number_is_no_quantity_until_it_is_text() -> None:
    assert broken("quantity(string(self.n)).isLessThan(quantity('6'))", {"n": 5}) == []
    (said,) = broken("quantity(self.n).isLessThan(quantity('6'))", {"n": 5})
    assert said.startswith("Invalid value: \"object\": 'no such overload: quantity(int)': call")
    assert said.endswith("signature for rule: broken")


def test_a_rule_that_can_not_be_asked_says_why() -> None:
    (said,) = broken("quantity(self).isLessThan(quantity('6'))", "1ki")
    assert said == (
        'Invalid value: "string": unable to parse quantity\'s suffix evaluating rule: broken'
    )


def test_sign_as_a_method_is_refused_as_kubernetes_does() -> None:
    (said,) = broken("quantity(self).sign() == 1", "1")
    assert "no matching overload for 'sign'" in said


@pytest.mark.parametrize(
    ("rule", "holds", "breaks"),
    [
        ("self.matches('^[0-9]+$')", "12", "x"),
        ("size(self) == 2 && self.size() == 2", "ab", "abc"),
        ("self.all(each, each > 1)", [2, 3], [1, 2]),
        ("self.exists(each, each > 2)", [2, 3], [1, 2]),
        ("self.exists_one(each, each > 1)", [1, 2], [2, 3]),
        ("self.all(key, self[key] == 1)", {"a": 1}, {"a": 2}),
        ("'a' in self && !('b' in self)", {"a": 1}, {"b": 1}),
        ("self in ['a', 'b']", "a", "c"),
        ("string(self) == '5'", 5, 6),
        ("int(self) == 5", "5", "6"),
        ("type(self) == int ? self > 1 : self == 'one'", 2, "two"),
        ("type(self) == string", "5", 5),
        ("dyn(self) == 5", 5, 6),
        ("has(self.a) ? self.a > 0 : true", {}, {"a": 0}),
    ],
)
def test_the_language_is_that_of_kubernetes(rule: str, holds: Any, breaks: Any) -> None:
    assert broken(rule, holds) == []
    (said,) = broken(rule, breaks)
    shown = "" if isinstance(breaks, dict | list) else f"{orjson.dumps(breaks).decode()}: "
    assert said == f"Invalid value: {shown}broken"
