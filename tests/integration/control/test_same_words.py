"""A bad spec is refused in the same words by the API, by PerformerControl and by lint."""

import pytest
from hourglass_cli.lint.findings import findings
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import PERFORMERS
from hourglass_services.control.port import Creation

from tests.support.bad_specs import BAD_SPECS, BadSpec
from tests.support.control_pair import Pair

pytestmark = pytest.mark.real_api

_ON_THE_WIRE = [bad for bad in BAD_SPECS if "must be of type" not in bad.text]
"""A message can not even hold a value of another type."""


_TAIL = 300
"""Of a long text the wire keeps the beginning and this much of the end."""


def same_field(one: str, other: str) -> bool:
    """Whether two paths mean the same: the request has no metadata, and writes snake_case."""

    def plain(path: str) -> str:
        return path.removeprefix(".").removeprefix("metadata.").replace("_", "").lower()

    return plain(one) == plain(other)


async def said_by_the_api(pair: Pair, bad: BadSpec) -> set[str]:
    with pytest.raises(KubeError) as caught:
        await pair.kube.create(PERFORMERS, pair.namespace, bad.manifest(), dry_run=True)
    found = [v for v in caught.value.violations if same_field(v.field, bad.field)]
    return {v.description[-_TAIL:] for v in found}


async def said_by_performer_control(pair: Pair, bad: BadSpec, *, validate_only: bool) -> set[str]:
    creation = Creation(
        namespace=pair.namespace,
        name=bad.name,
        spec=bad.manifest()["spec"],
        validate_only=validate_only,
    )
    with pytest.raises(HourglassError) as caught:
        await pair.client.create(creation)
    assert caught.value.code is Code.INVALID_ARGUMENT
    found = [v for v in caught.value.violations if same_field(v.field, bad.field)]
    assert all("[" in v.field or v.field == v.field.lower() for v in found)
    return {v.description[-_TAIL:] for v in found}


async def test_performer_control_refuses_in_the_words_of_the_api(pair: Pair) -> None:
    for bad in _ON_THE_WIRE:
        words = await said_by_the_api(pair, bad)
        assert any(bad.text in said for said in words), bad
        assert await said_by_performer_control(pair, bad, validate_only=False) == words
        assert await said_by_performer_control(pair, bad, validate_only=True) == words


async def test_lint_refuses_in_the_words_of_the_api(pair: Pair) -> None:
    for bad in BAD_SPECS:
        with pytest.raises(KubeError) as caught:
            await pair.kube.create(PERFORMERS, pair.namespace, bad.manifest(), dry_run=True)
        words = {(v.field, v.description) for v in caught.value.violations}
        found = {(f.field, f.text) for f in findings(bad.manifest()) if f.severity == "error"}
        assert found == {(field, said) for field, said in words if field not in _OF_THE_API_ALONE}


_OF_THE_API_ALONE = ("<nil>", ".spec.replicas")
"""That more may be wrong than it has looked for, and what the scale subresource says again."""
