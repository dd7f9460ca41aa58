"""Who signs results, and who says whether a submission was signed by whom it names.

Curves and key sources are implementations of these two; BN254 and look-ups on chain are not
built yet.
"""

from typing import Protocol

from hourglass_services.executor.port import Submission


class Signer(Protocol):
    """Holds one key, here or elsewhere."""

    @property
    def address(self) -> str:
        """The key's address: "0x" and 40 digits, lower case."""
        ...

    @property
    def waits(self) -> bool:
        """Whether signing waits for something outside of this process, which may be away."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """Return the signature over keccak256(message).

        UNAVAILABLE once a signer that is elsewhere has not answered within its time,
        FAILED_PRECONDITION if it refuses or has another key. A signer in memory never waits.
        """
        ...


class Verifier(Protocol):
    """Decides about a submission before anything is stored."""

    def verify(self, submission: Submission) -> None:
        """PERMISSION_DENIED, in the words of the reference, for a signature that does not hold."""
        ...
