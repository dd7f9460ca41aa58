"""The names that Kubernetes takes, as CEL conditions and in words. Pure.

Only what every CEL engine has is used: the core language and ``matches`` with RE2 syntax.
"""

import json
import re
from dataclasses import dataclass

from .schema import Rule

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = f"{_LABEL}([.]{_LABEL})*"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_PATH = "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
_HOST = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?"
_TAG = "[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
_DIGEST = "(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a text must look like: all of ``patterns`` hold and none of ``never``."""

    words: str
    patterns: tuple[str, ...]
    never: tuple[str, ...] = ()

    def holds(self, subject: str) -> str:
        """Return the CEL condition that ``subject``, a CEL expression, is such a text."""
        yes = [f"{subject}.matches({literal(pattern)})" for pattern in self.patterns]
        no = [f"!{subject}.matches({literal(pattern)})" for pattern in self.never]
        return f"({' && '.join([*yes, *no])})"

    def accepts(self, text: str) -> bool:
        """Whether ``text`` is such a text: as ``holds``, without an engine for CEL."""
        return (
            not text.endswith("\n")  # before which Python's $ matches too
            and all(re.search(pattern, text, re.ASCII) for pattern in self.patterns)
            and not any(re.search(pattern, text, re.ASCII) for pattern in self.never)
        )


OBJECT_NAME = Syntax(
    "lower case letters, digits, '-' and '.', with a letter or digit at both ends of each part",
    (f"^{_SUBDOMAIN}$",),
)
# The lengths of these two are bounded by the schema of their fields.
LABEL_VALUE = Syntax(
    "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    (f"^({_NAME_PART})?$",),
)
QUALIFIED_NAME = Syntax(
    "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends, and "
    "before them, if wanted, a DNS name and '/'",
    (f"^({_SUBDOMAIN}/)?{_NAME_PART}$", "^([-a-z0-9.]{1,253}/)?[-A-Za-z0-9_.]{1,63}$"),
)
EXTENDED_RESOURCE = Syntax(
    "a DNS name, '/' and a name, such as nvidia.com/gpu",
    (f"^{_SUBDOMAIN}/{_NAME_PART}$", "^[-a-z0-9.]{1,244}/[-A-Za-z0-9_.]{1,63}$"),
    never=("^requests[.]",),
)
RESOURCE_PART = Syntax(
    "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    (f"^{_NAME_PART}$",),
)
ENVIRONMENT_NAME = Syntax(
    "names of environment variables consist of letters, digits, '-', '_' and '.', and do not "
    "start with a digit or with '..'",
    ("^([-_a-zA-Z]|[.]([-_a-zA-Z0-9]))[-._a-zA-Z0-9]*$",),
)
DATA_KEY = Syntax(
    "letters, digits, '-', '_' and '.', but not '.' and nothing that starts with '..'",
    ("^[-._a-zA-Z0-9]+$",),
    never=("^[.]$", "^[.][.]"),
)
IMAGE = Syntax(
    "image must be a reference such as registry.example.com/team/performer:1.2 or "
    "...@sha256:<64 hexadecimal digits>, its repository in lower case and at most 255 "
    "characters long",
    (
        rf"^process://\S+$|^(({_HOST}([.]{_HOST})*|\[[a-fA-F0-9:]+\])(:[0-9]+)?/)?"
        f"{_PATH}(/{_PATH})*(:{_TAG})?(@{_DIGEST})?$",
        rf"^process://|^[-A-Za-z0-9_./:\[\]]{{1,255}}(:{_TAG})?(@.*)?$",
    ),
    never=("^[a-f0-9]{64}$",),
)
"""As containerd and docker read it; the dev cluster's process:// names a command instead."""


def literal(text: str) -> str:
    """Return ``text`` as a CEL string."""
    return json.dumps(text, ensure_ascii=True)


def must_be(what: str, syntax: Syntax) -> Rule:
    """Return the rule of a field that holds such a text, or none."""
    return Rule(f"self == '' || {syntax.holds('self')}", f"{what} must be {syntax.words}")


def keys_must_be(syntax: Syntax, message: str) -> Rule:
    """Return the rule of a map with such keys; the refusal names a key that is not."""
    return all_keys(syntax.holds("key"), message)


def all_keys(holds: str, message: str) -> Rule:
    """Return the rule of a map that CEL ``holds`` for every ``key``; a refusal names one."""
    return Rule(
        f"self.all(key, {holds})",
        message,
        f"self.filter(key, !({holds}))[0] + {literal(': ' + message)}",
    )


LABEL_RULES = (
    keys_must_be(QUALIFIED_NAME, f"keys of labels must be {QUALIFIED_NAME.words}"),
    all_keys(LABEL_VALUE.holds("self[key]"), f"values of labels must be {LABEL_VALUE.words}"),
)
"""The rules of a map of labels."""
