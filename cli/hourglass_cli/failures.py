"""Finding the error that counts in what a program raised."""

from hourglass_common.domain.errors import HourglassError


def first_of_ours(error: BaseException) -> HourglassError | None:
    """Return the HourglassError that ``error`` is, or the first that a TaskGroup wrapped."""
    if isinstance(error, HourglassError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            found = first_of_ours(inner)
            if found is not None:
                return found
    return None


def unwrapped(error: BaseException) -> BaseException:
    """Return the one error that nested groups were put around; the group where it holds more."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
