"""Wrong arguments: codes and texts are the reference's."""

from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import AuthSignature, DeployRequest

from tests.support.executor_values import OPERATOR
from tests.support.modes.executor import Caller
from tests.support.modes.refusals import refused

DIGEST = "sha256:" + "3" * 64


def request(**changes: Any) -> DeployRequest:
    given: dict[str, Any] = {"avs_address": "0x" + "7" * 40, "digest": DIGEST, "registry": "r/x"}
    return DeployRequest(**{**given, **changes})


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ({"avs_address": ""}, "AVS address is required"),
        ({"digest": ""}, "Artifact digest is required"),
        ({"registry": ""}, "Registry URL is required"),
        ({"registry": "", "digest": ""}, "Artifact digest is required"),
    ],
)
async def test_a_deployment_without_one_of_its_three_is_refused(
    caller: Caller, missing: dict[str, str], text: str
) -> None:
    error = await refused(caller.tasks.deploy(request(**missing), timeout_seconds=5))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, text)


async def test_a_removal_without_an_id_is_refused(caller: Caller) -> None:
    error = await refused(caller.tasks.remove(""))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "performer ID is required")


async def test_an_unknown_performer_can_not_be_removed(caller: Caller) -> None:
    error = await refused(caller.tasks.remove("nobody"))
    assert (error.code, error.message) == (Code.NOT_FOUND, "performer with ID nobody not found")


async def test_a_task_of_an_avs_without_a_performer_is_refused(caller: Caller) -> None:
    error = await refused(caller.submit())
    assert error.code is Code.NOT_FOUND
    assert f"AVS performer not found for address {caller.avs}" in error.message


async def test_a_challenge_is_not_given_while_authentication_is_off(caller: Caller) -> None:
    error = await refused(caller.tasks.challenge(OPERATOR))
    assert (error.code, error.message) == (Code.UNIMPLEMENTED, "authentication is not enabled")


async def test_a_signature_is_refused_while_authentication_is_off(caller: Caller) -> None:
    auth = AuthSignature(challenge_token="x", signature=b"y")
    for call in (
        caller.tasks.list(auth=auth),
        caller.tasks.remove("nobody", auth=auth),
        caller.tasks.deploy(request(auth=auth), timeout_seconds=5),
    ):
        error = await refused(call)
        assert (error.code, error.message) == (
            Code.UNIMPLEMENTED,
            "authentication is not enabled",
        )


async def test_a_task_that_the_performer_refuses_is_refused_with_its_code(caller: Caller) -> None:
    await caller.deploy()
    with pytest.raises(HourglassError, match="is not a hexadecimal number") as caught:
        await caller.submit(payload=b"four")
    assert caught.value.code is Code.INVALID_ARGUMENT
