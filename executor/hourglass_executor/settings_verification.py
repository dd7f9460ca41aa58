"""The part of the configuration that says whose tasks are accepted, and how results are signed."""

from typing import Any, Literal

from pydantic import model_validator

from .settings_sections import Address, Section

NOT_BUILT_YET = (
    "chain look-ups are not built yet: give `verification: {mode: ecdsa, aggregators: "
    "[{address: 0x...}]}`, or `verification: none` for development"
)


class TrustedAggregator(Section):
    """``signer`` is the address of its key, ``address`` if not given; ``avsAddress`` empty means
    every AVS, ``operatorSets`` empty means all."""

    address: Address
    signer: Address = ""
    avs_address: Address = ""
    operator_sets: tuple[int, ...] = ()


class CertificateVerifier(Section):
    """The ECDSA certificate verifier's ``address``, and the major digit of its ``version``."""

    address: Address
    version: str = "1"


class Verification(Section):
    """Ours, in place of look-ups on chain. ``mode: ecdsa`` verifies tasks against ``aggregators``;
    ``mode: none`` accepts any signature: development only. ``verification: none`` is the same in
    short.

    With ``certificateVerifier`` results are signed as EIP-712 certificates for that contract;
    without, the signature is over keccak256(abi.encode(taskId, output)) itself.
    """

    mode: Literal["ecdsa", "none"]
    aggregators: tuple[TrustedAggregator, ...] = ()
    certificate_verifier: CertificateVerifier | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"mode": value}
        return value

    @model_validator(mode="after")
    def _has_aggregators(self) -> "Verification":
        if self.mode == "ecdsa" and not self.aggregators:
            raise ValueError("mode ecdsa needs aggregators: a list of {address: 0x...}")
        if self.mode == "none" and self.aggregators:
            raise ValueError(
                "mode none looks at no signature, and yet aggregators are given: say mode: ecdsa"
            )
        return self
