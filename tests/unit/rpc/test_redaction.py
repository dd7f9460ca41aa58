"""Errors that do not repeat the secrets of the request they are about."""

from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_services.rpc.redaction import NOT_SHOWN, redacted

SECRET = 'tiger"\nsécret'


def test_a_secret_is_taken_out_however_it_is_written() -> None:
    said = r'Invalid value: "tiger\"\nsécret": too long; again "tiger\"\ns\u00e9cret"'
    error = HourglassError(
        Code.INVALID_ARGUMENT,
        f"bad: {SECRET}",
        reason="INVALID",
        hint=said,
        violations=(FieldViolation("spec.x", said),),
        metadata={"a": SECRET},
        retry_after=1.5,
    )
    clean = redacted(error, [SECRET])
    texts = [clean.message, clean.hint, clean.violations[0].description, clean.metadata["a"]]
    assert all("tiger" not in text and NOT_SHOWN in text for text in texts)
    assert clean.violations[0].description.startswith("Invalid value: ")
    assert (clean.code, clean.reason, clean.retry_after) == (error.code, "INVALID", 1.5)


def test_an_error_without_a_secret_stays_as_it_is() -> None:
    error = HourglassError(Code.NOT_FOUND, "no performer 'demo'")
    assert redacted(error, ["another", "demo"]) is error


def test_a_secret_within_a_longer_one_leaves_nothing_behind() -> None:
    error = HourglassError(Code.INVALID_ARGUMENT, "no: password-and-more")
    assert "more" not in redacted(error, ["password", "password-and-more"]).message
