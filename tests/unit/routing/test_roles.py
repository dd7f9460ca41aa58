"""Which role an instance has: its deployer's word, and the part that its deployment plays."""

import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_executor.routing.roles import refuses, within


@pytest.mark.parametrize("deployment", list(Role))
def test_what_its_deployer_has_not_in_service_takes_no_task(deployment: Role) -> None:
    for instance in (Role.STAGED, Role.DRAINING, Role.RETIRED):
        assert within(deployment, instance) is instance
        assert refuses(within(deployment, instance)) is not None


def test_what_is_in_service_plays_the_part_of_its_deployment() -> None:
    for deployment in Role:
        assert within(deployment, Role.IN_SERVICE) is deployment
