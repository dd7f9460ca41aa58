"""What a bug of the catalogue is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """``old``, which occurs once in ``file``, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str
    suite: str
    test: str
