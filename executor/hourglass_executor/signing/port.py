"""Who signs results, and who says whether a submission was signed by whom it names.

Curves and key sources are implementations of these two; BN254 and look-ups on chain are not
built yet.
"""

from typing import Protocol

from hourglass_services.executor.port import Submission


class Signer(Protocol):
    """Holds one key. Signatures of one message are always the same bytes."""

    @property
    def address(self) -> str:
        """The key's address: "0x" and 40 digits, lower case."""
        ...

    def sign_message(self, message: bytes) -> bytes:
        """Sign keccak256(message)."""
        ...

    def sign_for_solidity(self, data: bytes) -> bytes:
        """Sign 32 bytes as they are, anything else as its keccak256."""
        ...


class Verifier(Protocol):
    """Decides about a submission before anything is stored."""

    def verify(self, submission: Submission) -> None:
        """PERMISSION_DENIED, in the words of the reference, for a signature that does not hold."""
        ...
