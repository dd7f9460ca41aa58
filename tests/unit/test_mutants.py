"""The catalogue of bugs fits the sources: each of its texts is there once, and its test exists."""

import re
from pathlib import Path

import pytest

from tests.mutants.catalogue import CATALOGUE
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_a_bug_of_the_catalogue_can_be_put_in(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert re.split(r"::|\[", mutant.test)[0] in (ROOT / mutant.suite).read_text()
