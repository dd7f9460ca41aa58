"""The bytes that are signed: submission, result and authorisation. Pure.

The layouts are the wire contract's, byte for byte; every word is 32 bytes, big-endian.
"""

from hourglass_services.executor.port import Submission

from .keccak import keccak256

_CERTIFICATE = keccak256(b"ECDSACertificate(uint32 referenceTimestamp,bytes32 messageHash)")
_DOMAIN = keccak256(b"EIP712Domain(string name,string version,address verifyingContract)")
_NAME = keccak256(b"EigenLayer")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """Return "0x" and 40 digits as 32 bytes, padded on the left."""
    return bytes.fromhex(address.removeprefix("0x")).rjust(32, b"\0")


def hash_word(text: str) -> bytes:
    """Return "0x" and 64 digits as 32 bytes."""
    return bytes.fromhex(text.removeprefix("0x"))


def submission_message(submission: Submission, executor_address: str) -> bytes:
    """Return the 224 bytes that the aggregator signs, with the address of our own configuration."""
    return b"".join(
        (
            hash_word(submission.task_id),
            address_word(submission.avs_address),
            address_word(executor_address),
            word(submission.operator_set_id),
            word(submission.reference_timestamp),
            word(submission.task_block_number),
            keccak256(submission.payload),
        )
    )


def submission_digest(submission: Submission, executor_address: str) -> bytes:
    """Return what a task id is bound to: the signed fields and who signed them."""
    signed = submission_message(submission, executor_address)
    return keccak256(signed + address_word(submission.aggregator_address))


def result_message(task_id: str, output: bytes) -> bytes:
    """Return abi.encode(bytes32 taskHash, bytes result)."""
    padded = output.ljust((len(output) + 31) // 32 * 32, b"\0")
    return hash_word(task_id) + word(64) + word(len(output)) + padded


def result_message_hash(task_id: str, output: bytes) -> bytes:
    """Return keccak256(abi.encode(bytes32 taskHash, bytes result))."""
    return keccak256(result_message(task_id, output))


def certificate_bytes(
    message_hash: bytes, reference_timestamp: int, verifier: str, version: str
) -> bytes:
    """Return the 66 bytes of the EIP-712 ECDSA certificate; ``version`` is the major digit."""
    domain = keccak256(_DOMAIN + _NAME + keccak256(version.encode()) + address_word(verifier))
    certificate = keccak256(_CERTIFICATE + word(reference_timestamp) + message_hash)
    return b"\x19\x01" + domain + certificate


def authorization_message(
    submission: Submission, operator_address: str, result_signature: bytes
) -> bytes:
    """Return the 160 bytes that bind a result's signature to its task and operator."""
    return b"".join(
        (
            hash_word(submission.task_id),
            address_word(submission.avs_address),
            address_word(operator_address),
            word(submission.operator_set_id),
            keccak256(result_signature),
        )
    )
