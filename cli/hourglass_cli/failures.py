"""Finding our own error in what a program raised."""

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
