"""The demo performer's arithmetic and its options."""

import pytest
from hourglass_cli.demo_performer.options import Options, parse_options
from hourglass_cli.demo_performer.square import MAX_PAYLOAD_BYTES, square
from hourglass_common.domain.errors import Code, HourglassError


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"0x4", b"0x10"),
        (b"0x0", b"0x00"),
        (b"0x1", b"0x01"),
        (b"0x10", b"0x0100"),
        (b"0XfF", b"0xfe01"),
        (b"\x04", b"\x10"),
        (b"\x00", b"\x00"),
        (b"\xff\xff", b"\xff\xfe\x00\x01"),
    ],
)
def test_the_square_comes_back_in_the_form_of_the_payload(payload: bytes, result: bytes) -> None:
    assert square(payload) == result


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b"", "empty"),
        (b"0x", "'0x' is not a hexadecimal number"),
        (b"0xzz", "'0xzz' is not a hexadecimal number"),
        (b"four", "'four' is not a hexadecimal number"),
        (b"0x" + b"f" * MAX_PAYLOAD_BYTES, "more than the 4096 allowed"),
    ],
)
def test_a_payload_that_is_no_number_is_refused_with_an_example(payload: bytes, word: str) -> None:
    with pytest.raises(HourglassError) as refused:
        square(payload)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert word in refused.value.message
    assert "such as 0x4" in refused.value.message


def test_the_port_comes_from_the_flag_then_from_grpc_port() -> None:
    assert parse_options([], {}).port == 9090
    assert parse_options([], {"GRPC_PORT": "7"}).port == 7
    assert parse_options(["--port", "8"], {"GRPC_PORT": "7"}).port == 8


def test_every_flag_can_be_an_environment_variable() -> None:
    environ = {
        "DEMO_PERFORMER_DELAY": "0.5",
        "DEMO_PERFORMER_FAIL": "unavailable",
        "DEMO_PERFORMER_NOT_SERVING": "true",
        "DEMO_PERFORMER_EXIT_DURING": "3",
    }
    assert parse_options([], environ) == Options(
        delay=0.5, fail=Code.UNAVAILABLE, fail_every=1, not_serving=True, exit_during=3
    )


def test_a_bad_variable_ends_the_program_with_a_line_that_names_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options([], {"GRPC_PORT": "many"})
    assert ended.value.code == 2
    assert "GRPC_PORT: many is not a port" in capsys.readouterr().err
