"""Which roles take tasks, and which are kept connected. Pure."""

from typing import assert_never

from hourglass_common.domain.endpoint import Role

from .skip import SkipReason


def refuses(role: Role) -> SkipReason | None:
    """Return why ``role`` takes no new task; None where it does."""
    match role:
        case Role.IN_SERVICE:
            return None
        case Role.STAGED:
            return SkipReason.STAGED
        case Role.DRAINING:
            return SkipReason.DRAINING
        case Role.RETIRED:
            return SkipReason.RETIRED
        case _:
            assert_never(role)


def is_connected(role: Role) -> bool:
    """Whether an instance of ``role`` is connected and watched: a staged one so that promoting
    it costs nothing, a draining one until its tasks have ended."""
    return role is not Role.RETIRED


def within(deployment: Role, instance: Role) -> Role:
    """Return the role of an instance, of the part that its deployer gives it in a deployment.

    Only what is in service there plays the part of the deployment as a whole: a staged or draining
    instance takes no tasks, whatever that is.
    """
    return deployment if instance is Role.IN_SERVICE else instance
