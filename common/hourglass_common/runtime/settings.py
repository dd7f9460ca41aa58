"""Settings: flags over environment over file over default, with every error at once.

Models are pydantic-settings models; this module reads the sources, remembers where each value
came from, and turns validation errors into words that name the flag, the variable or the line.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hourglass_common.domain.errors import Code, FieldViolation, HourglassError

Path_ = tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


class Settings(BaseSettings):
    """Base of all settings: unknown keys are errors, values are frozen."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but what ``load_settings`` gives: $PORT is not a field named ``port``."""
        return (init_settings,)


def load_settings(
    model: type[Model],
    *,
    config_path: str | Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    env_prefix: str,
    other_prefixes: Iterable[str] = (),
) -> Model:
    """Return the settings of a program.

    ``flags`` holds values by dotted field path (``"control.address"``); None means not given.
    ``env_prefix`` is such as ``HOURGLASS_OPERATOR__``; nested keys are joined by ``__``. Variables
    with ``other_prefixes`` are read as well, and count less.
    INVALID_ARGUMENT lists every bad value with where it came from.
    """
    origins: dict[Path_, str] = {}
    merged: dict[str, Any] = {}
    if config_path is not None:
        _merge(merged, _read_file(Path(config_path), origins))
    given = os.environ if environ is None else environ
    for prefix in (*other_prefixes, env_prefix):
        _merge(merged, _read_environment(given, prefix, model, origins))
    for path, value in (flags or {}).items():
        if value is not None:
            parts = tuple(path.split("."))
            origins[parts] = "--" + path.replace("_", "-").replace(".", "-")
            _put(merged, parts, value)
    try:
        return model.model_validate(merged)
    except ValidationError as exc:
        raise _explained(exc, model, origins) from exc


def _read_file(path: Path, origins: dict[Path_, str]) -> dict[str, Any]:
    try:
        text = path.read_text()
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        loaded = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise HourglassError(
            Code.INVALID_ARGUMENT, f"can not read the configuration {path}: {exc}"
        ) from exc
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise HourglassError(
            Code.INVALID_ARGUMENT, f"{path}: the configuration must be a mapping of keys"
        )
    _refuse_repeated(_lines(node, ()), path)
    for keys, line in _lines(node, ()):
        origins[keys] = f"{path}:{line}"
    return loaded


def _refuse_repeated(keys: Iterable[tuple[Path_, int]], path: Path) -> None:
    """YAML lets a second key of the same name replace the first without a word."""
    first: dict[Path_, int] = {}
    for key, line in keys:
        if key in first:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"{path}:{line}: {'.'.join(key)} is given twice, first in line {first[key]}",
                reason="INVALID_CONFIGURATION",
            )
        first[key] = line


def _lines(node: Any, at: Path_) -> Iterator[tuple[Path_, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*at, str(key.value))
            yield path, key.start_mark.line + 1
            yield from _lines(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            path = (*at, str(index))
            yield path, value.start_mark.line + 1
            yield from _lines(value, path)


def _read_environment(
    environ: Mapping[str, str], prefix: str, model: type[BaseModel], origins: dict[Path_, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(prefix):
            continue
        path = _field_path(tuple(name[len(prefix) :].lower().split("__")), model)
        origins[path] = name
        parsed: Any = value
        if value[:1] in ("[", "{"):
            try:
                parsed = yaml.safe_load(value)
            except yaml.YAMLError:
                parsed = value  # the model will refuse it by name
        _put(found, path, parsed)
    return found


def _field_path(parts: Path_, model: type[BaseModel] | None) -> Path_:
    """Return ``parts`` with the spelling of the model's keys: GRPC_PORT is grpcPort."""
    path: list[str] = []
    for part in parts:
        key = part
        for name, info in (model.model_fields if model else {}).items():
            if part in (name.lower(), (info.alias or name).lower(), name.replace("_", "").lower()):
                key = info.alias or name
                break
        path.append(key)
        model = _nested(model, key)
    return tuple(path)


def _nested(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    for name, info in (model.model_fields if model else {}).items():
        if key in _spellings(name, info):
            for candidate in (info.annotation, *get_args(info.annotation)):
                for inner in (candidate, *get_args(candidate)):
                    if isinstance(inner, type) and issubclass(inner, BaseModel):
                        return inner
    return None


def _spellings(name: str, info: Any) -> tuple[str, ...]:
    other = info.validation_alias
    more = tuple(str(c) for c in other.choices) if isinstance(other, AliasChoices) else ()
    return (name, *((info.alias,) if info.alias else ()), *more)


def _put(target: dict[str, Any], path: Path_, value: Any) -> None:
    for part in path[:-1]:
        inner = target.get(part)
        if not isinstance(inner, dict):
            inner = target[part] = {}
        target = inner
    target[path[-1]] = value


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = dict(value) if isinstance(value, Mapping) else value


def _explained(
    error: ValidationError, model: type[BaseModel], origins: Mapping[Path_, str]
) -> HourglassError:
    violations: list[FieldViolation] = []
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        path = tuple(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = "unknown key" + _nearest(path, model)
        elif problem["type"] == "missing":
            text = "required"
        name = ".".join(_spelled(path, model))
        origin = _origin(path, origins)
        violations.append(FieldViolation(name, text))
        where = f" ({origin})" if origin else ""
        lines.append(f"{name}: {text}{where}" if name else f"{text}{where}")
    return HourglassError(
        Code.INVALID_ARGUMENT,
        "invalid configuration:\n  " + "\n  ".join(lines),
        reason="INVALID_CONFIGURATION",
        violations=tuple(violations),
    )


def _spelled(path: Path_, model: type[BaseModel]) -> Path_:
    """Return ``path`` as its keys are written: a value left out is named by its field."""
    inner: type[BaseModel] | None = model
    spelled: list[str] = []
    for part in path:
        fields = inner.model_fields if inner else {}
        spelled.append(fields[part].alias or part if part in fields else part)
        inner = inner if part.isdecimal() else _nested(inner, part)
    return tuple(spelled)


def _origin(path: Path_, origins: Mapping[Path_, str]) -> str:
    """Return where the value at ``path``, or the nearest thing around it, was written."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]]
    return ""


def _nearest(path: Path_, model: type[BaseModel]) -> str:
    inner: type[BaseModel] | None = model
    for part in path[:-1]:
        if not part.isdigit():
            inner = _nested(inner, part)
    fields = inner.model_fields.items() if inner else ()
    known = [info.alias or name for name, info in fields]
    close = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""
