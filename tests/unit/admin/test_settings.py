"""Where settings come from, and what is said of the bad ones."""

from pathlib import Path

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.settings import Settings, load_settings
from pydantic import BaseModel, ConfigDict, Field, field_validator


class Control(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    address: str = "127.0.0.1:50051"
    grpc_port: int = Field(default=9090, alias="grpcPort")


class Program(Settings):
    control: Control = Control()
    workers: int = Field(default=4, ge=1)
    port: int = 1
    names: list[str] = Field(default_factory=list)


def load(
    tmp_path: Path,
    text: str | None = None,
    environ: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> Program:
    path = None
    if text is not None:
        path = tmp_path / "program.yaml"
        path.write_text(text)
    return load_settings(
        Program,
        config_path=path,
        environ=environ or {},
        flags=flags,
        env_prefix="HOURGLASS_PROGRAM__",
    )


def refused(tmp_path: Path, *args: object, **kwargs: object) -> HourglassError:
    with pytest.raises(HourglassError) as caught:
        load(tmp_path, *args, **kwargs)  # type: ignore[arg-type]
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value


FILE = "control:\n  address: from-file:1\n"
ENV = {"HOURGLASS_PROGRAM__CONTROL__ADDRESS": "from-env:1"}


@pytest.mark.parametrize(
    ("text", "environ", "flags", "expected"),
    [
        (None, {}, {}, "127.0.0.1:50051"),
        ("", {}, {}, "127.0.0.1:50051"),
        (FILE, {}, {}, "from-file:1"),
        (FILE, ENV, {}, "from-env:1"),
        (FILE, ENV, {"control.address": "from-flag:1"}, "from-flag:1"),
        (FILE, ENV, {"control.address": None}, "from-env:1"),
    ],
)
def test_a_flag_rules_over_the_environment_over_the_file_over_the_default(
    tmp_path: Path,
    text: str | None,
    environ: dict[str, str],
    flags: dict[str, object],
    expected: str,
) -> None:
    assert load(tmp_path, text, environ, flags).control.address == expected


def test_sources_are_merged_key_by_key(tmp_path: Path) -> None:
    settings = load(tmp_path, "control:\n  grpcPort: 7\nworkers: 2\n", ENV)
    assert settings.control == Control(address="from-env:1", grpcPort=7)
    assert settings.workers == 2


def test_variables_without_the_prefix_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "99")
    monkeypatch.setenv("WORKERS", "99")
    assert load(tmp_path) == Program()


def test_the_environment_knows_keys_by_their_name_in_any_spelling(tmp_path: Path) -> None:
    for name in ("GRPCPORT", "GRPC_PORT"):
        environ = {f"HOURGLASS_PROGRAM__CONTROL__{name}": "5"}
        assert load(tmp_path, environ=environ).control.grpc_port == 5


def test_a_list_can_be_given_in_the_environment(tmp_path: Path) -> None:
    environ = {"HOURGLASS_PROGRAM__NAMES": '["a", "b"]'}
    assert load(tmp_path, environ=environ).names == ["a", "b"]


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    error = refused(tmp_path, "workers: 2\ncontrol:\n  adress: x\n")
    assert "control.adress: unknown key; did you mean 'address'?" in error.message
    assert "program.yaml:3)" in error.message


def test_an_unknown_variable_is_refused_by_its_name(tmp_path: Path) -> None:
    error = refused(tmp_path, environ={"HOURGLASS_PROGRAM__WORKRES": "2"})
    assert "did you mean 'workers'?" in error.message
    assert "(HOURGLASS_PROGRAM__WORKRES)" in error.message


def test_every_bad_value_is_told_at_once_with_where_it_came_from(tmp_path: Path) -> None:
    error = refused(
        tmp_path,
        "workers: 0\n",
        {"HOURGLASS_PROGRAM__CONTROL__GRPC_PORT": "many"},
        {"port": "x"},
    )
    assert "program.yaml:1)" in error.message
    assert "(HOURGLASS_PROGRAM__CONTROL__GRPC_PORT)" in error.message
    assert "(--port)" in error.message
    assert {v.field for v in error.violations} == {"workers", "control.grpcPort", "port"}


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    error = refused(tmp_path, "workers: 2\ncontrol:\n  address: a\n  address: b\n")
    assert "program.yaml:4: control.address is given twice, first in line 3" in error.message


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "a: [\n"])
def test_a_file_that_is_no_mapping_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    assert "program.yaml" in refused(tmp_path, text).message


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(HourglassError, match=r"nowhere\.yaml"):
        load_settings(
            Program, config_path=tmp_path / "nowhere.yaml", environ={}, env_prefix="HOURGLASS__"
        )


class Server(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, validate_default=True)

    listen_on: str | None = Field(default=None, alias="listenOn")

    @field_validator("listen_on")
    @classmethod
    def _given(cls, value: str | None) -> str | None:
        if value is None:
            raise ValueError("listenOn is required")
        return value


class Serving(Settings):
    main_server: Server = Field(alias="mainServer")


def test_a_value_left_out_is_named_as_its_key_is_written(tmp_path: Path) -> None:
    path = tmp_path / "program.yaml"
    path.write_text("mainServer: {}\n")
    with pytest.raises(HourglassError) as caught:
        load_settings(Serving, config_path=path, environ={}, env_prefix="X__")
    assert f"mainServer.listenOn: listenOn is required ({path}:1)" in str(caught.value)
