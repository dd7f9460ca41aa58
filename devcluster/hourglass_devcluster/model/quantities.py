"""Kubernetes' quantities (``100m``, ``1.5Gi``, ``1e3``) as exact numbers, and as CEL knows them.

In a rule a quantity is a map with its canonical text, which no field of a CRD is taken for.
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

_FORM = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)")
_NOT_OF_THE_FORM = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_NO_SUFFIX = "unable to parse quantity's suffix"
_SCALES = {
    "": Decimal(1),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{name: Decimal(1000) ** -power for power, name in enumerate("mun", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}
_FINEST = Decimal("1e-9")
_LARGEST = Decimal((1 << 63) - 1)
_DIGITS = 60
_LONGEST_EXPONENT = 4
_FIELD = "quantity"

Function = Callable[..., Any]


def parsed(text: str) -> Decimal:
    """Return the value of ``text``, rounded up to billionths. ValueError if it is no quantity."""
    found = _FORM.fullmatch(text)
    if found is None or not text.isascii():
        raise ValueError(_NOT_OF_THE_FORM)
    number, suffix = found[1], found[2]
    if not _NUMBER.fullmatch(number):
        raise ValueError(_NOT_OF_THE_FORM)
    with localcontext() as context:
        context.prec = _DIGITS + len(number)
        value = Decimal(number) * _scale(suffix)
        size = min(abs(value), _LARGEST).quantize(_FINEST, rounding=ROUND_UP)
    return -size if value < 0 else size


def _scale(suffix: str) -> Decimal:
    if suffix in _SCALES:
        return _SCALES[suffix]
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None or len(exponent[1]) > _LONGEST_EXPONENT:
        raise ValueError(_NO_SUFFIX)
    return Decimal(10) ** min(int(exponent[1]), _DIGITS)


def _quantity(text: Any) -> Mapping[str, str]:
    if not isinstance(text, str):
        raise _no_overload(_FIELD, text)
    return _shown(parsed(text))


def _is_quantity(text: Any) -> bool:
    if not isinstance(text, str):
        raise _no_overload("isQuantity", text)
    try:
        parsed(text)
    except ValueError:
        return False
    return True


def _shown(value: Decimal) -> Mapping[str, str]:
    return {_FIELD: f"{value.normalize() + 0:f}"}


def _value(name: str, quantity: Any) -> Decimal:
    if not isinstance(quantity, Mapping) or set(quantity) != {_FIELD}:
        raise _no_overload(name, quantity)
    return Decimal(quantity[_FIELD])


def _operand(name: str, quantity: Any) -> Decimal:
    """Return the value of a quantity or of a whole number."""
    if isinstance(quantity, int) and not isinstance(quantity, bool):
        return Decimal(quantity)
    return _value(name, quantity)


def _compared(name: str, one: Any, other: Any) -> int:
    first, second = _value(name, one), _value(name, other)
    return (first > second) - (first < second)


def _sign(quantity: Any) -> int:
    value = _value("sign", quantity)
    return (value > 0) - (value < 0)


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value() and abs(value) <= _LARGEST


def _as_integer(value: Decimal) -> int:
    if not _is_whole(value):
        raise ValueError("cannot convert value to integer")
    return int(value)


def _no_overload(name: str, value: Any) -> TypeError:
    kinds = {bool: "bool", int: "int", float: "double", str: "string", list: "list"}
    return TypeError(f"no such overload: {name}({kinds.get(type(value), 'map')})")


FUNCTIONS: Mapping[str, Function] = {
    "quantity": _quantity,
    "isQuantity": _is_quantity,
    "sign": _sign,
    "compareTo": lambda one, other: _compared("compareTo", one, other),
    "isLessThan": lambda one, other: _compared("isLessThan", one, other) < 0,
    "isGreaterThan": lambda one, other: _compared("isGreaterThan", one, other) > 0,
    "isInteger": lambda one: _is_whole(_value("isInteger", one)),
    "asInteger": lambda one: _as_integer(_value("asInteger", one)),
    "add": lambda one, other: _shown(_value("add", one) + _operand("add", other)),
    "sub": lambda one, other: _shown(_value("sub", one) - _operand("sub", other)),
}
"""What of Kubernetes' quantity library rules may use; but for the first three they are methods."""
