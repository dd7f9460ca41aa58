"""The answer to a task: its result, unsigned as it is kept, and signed as it is given."""

from dataclasses import dataclass, replace

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import Submission, TaskResult

from hourglass_executor.signing.port import Signer
from hourglass_executor.tasks.messages import (
    authorization_message,
    certificate_bytes,
    result_message,
    result_message_hash,
)

REASON_NOT_SIGNED = "RESULT_NOT_SIGNED"
_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signs results, and for which certificate verifier ("" for none)."""

    address: str
    signer: Signer
    certificate_verifier: str = ""
    certificate_version: str = "1"

    def unsigned(self, submission: Submission, output: bytes) -> TaskResult:
        """Return the result of a task that gave ``output``, without signatures."""
        return TaskResult(
            task_id=submission.task_id,
            operator_address=self.address,
            output=output,
            result_signature=b"",
            avs_address=submission.avs_address,
            operator_set_id=submission.operator_set_id,
            auth_signature=b"",
        )

    async def signed(self, submission: Submission, result: TaskResult) -> TaskResult:
        """Return ``result`` with its signatures. UNAVAILABLE, saying that nothing is lost, if
        the signer does not sign."""
        try:
            signature = await self.signer.sign(self._to_sign(submission, result.output))
            authorization = authorization_message(submission, self.address, signature)
            return replace(
                result,
                result_signature=signature,
                auth_signature=await self.signer.sign(authorization),
            )
        except HourglassError as error:
            raise HourglassError(
                Code.UNAVAILABLE,
                f"task {submission.task_id} has run and its result is kept, but not signed: "
                f"{error.message}",
                reason=REASON_NOT_SIGNED,
                hint="send it again under the same id: the result is signed then, nothing runs "
                "again",
                metadata={"taskId": submission.task_id, "signer": error.reason},
                retry_after=_RETRY_SECONDS,
            ) from error

    def _to_sign(self, submission: Submission, output: bytes) -> bytes:
        """Return the bytes whose keccak256 is signed."""
        if not self.certificate_verifier:
            return result_message(submission.task_id, output)
        return certificate_bytes(
            result_message_hash(submission.task_id, output),
            submission.reference_timestamp,
            self.certificate_verifier,
            self.certificate_version,
        )
