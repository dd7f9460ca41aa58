"""Signing a submission with an aggregator's key."""

from dataclasses import replace
from pathlib import Path

from hourglass_common.domain.errors import invalid
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.messages import submission_message
from hourglass_services.executor.port import Submission

from .payload import NOBODY


def signed(submission: Submission, key: str) -> Submission:
    """Return ``submission`` signed with ``key``, and the key's address as aggregator if none is.

    ``key`` is "0x" and 64 hexadecimal digits, or "@" and the name of a file that holds them.
    """
    signer = signer_of(key, "--key")
    if submission.aggregator_address == NOBODY:
        submission = replace(submission, aggregator_address=signer.address)
    try:
        message = submission_message(submission, submission.executor_address)
    except ValueError as exc:
        raise invalid("", f"a task id or an address is not hexadecimal: {exc}") from exc
    return replace(submission, signature=signer.sign_message(message))


def signer_of(key: str, flag: str) -> EcdsaSigner:
    """Return the signer of a key, or of "@" and its file; errors name ``flag``."""
    try:
        text = Path(key[1:]).read_text("ascii").strip() if key.startswith("@") else key
    except (OSError, UnicodeDecodeError) as exc:
        raise invalid(flag, f"{key[1:]} can not be read") from exc
    try:
        return EcdsaSigner(text)
    except ValueError:
        # Without the cause: its text could hold a part of the key.
        raise invalid(flag, "a key is 0x and 64 hexadecimal digits, or @file") from None
