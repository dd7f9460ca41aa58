"""What the configuration says of a Performer object: every field of the CRD's spec by its name.

The names, types and bounds are those of the CRD itself, so that a new field of the CRD is one here.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from hourglass_common.domain.names import LABEL_VALUE, QUALIFIED_NAME
from hourglass_common.domain.performer import GROUP, MAX_NAME_LENGTH, PerformerSpec
from hourglass_common.domain.schema import object_schema
from hourglass_common.domain.schema_check import misfits
from pydantic import Field, field_validator, model_validator

from .settings_sections import Section

SAID_ELSEWHERE: Mapping[str, str] = {
    "avsAddress": "it is avsPerformers[].avsAddress",
    "image": "it is avsPerformers[].image",
    "version": "it is the tag or digest of avsPerformers[].image",
    "suspend": "it is said of a performer that runs: hourglass performer suspend",
    "fence": "it is said of a performer that runs: hourglass performer fence",
    "rollout.decision": "it is said of a performer that runs: hourglass performer promote",
}
"""Fields of the CRD's spec that are not options, and who says them instead."""
_RESERVED = (GROUP, "app.kubernetes.io/managed-by", "app")


@cache
def option_schema() -> dict[str, Any]:
    """Return the schema of the options: the CRD's spec without what is said elsewhere."""
    schema = object_schema(PerformerSpec)
    schema = {**schema, "properties": dict(schema["properties"])}
    for path in SAID_ELSEWHERE:
        *above, last = path.split(".")
        holder = schema
        for key in above:
            copied = dict(holder["properties"][key])
            copied["properties"] = dict(copied["properties"])
            holder["properties"][key] = copied
            holder = copied
        del holder["properties"][last]
        holder["required"] = [key for key in holder.get("required", ()) if key != last]
    return schema


class PerformerOptions(Section):
    """Beside these, every field of a Performer's ``spec`` by its name in the CRD (``resources``,
    ``scheduling``, ``strategy``, ..., see [performer](performer.md)), but those that say what runs
    for whom, and ``suspend``, ``fence`` and ``rollout.decision``, which are said of one that runs.

    ``labels`` are the object's own; ``serviceAccountName`` is ``config.serviceAccountName``.
    """

    service_account_name: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict, exclude=True)  # not a key: gathered below

    @model_validator(mode="before")
    @classmethod
    def _fields_of_the_crd(cls, value: Any) -> Any:
        """Gather what is not ours into ``spec``, once it fits the CRD."""
        if not isinstance(value, Mapping):
            return value
        ours = {name for field, info in cls.model_fields.items() for name in (field, info.alias)}
        ours.discard("spec")
        given = {key: one for key, one in value.items() if key not in ours}
        wrong = list(_refusals(given)) + list(misfits(option_schema(), _allowed(given), ""))
        if wrong:
            raise ValueError("; ".join(wrong))
        return {**{key: value[key] for key in value if key in ours}, "spec": given}

    @field_validator("labels")
    @classmethod
    def _labels_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        for key, label in value.items():
            if key.startswith(_RESERVED[0]) or key in _RESERVED:
                raise ValueError(f"the label {key} is the executor's own")
            if not QUALIFIED_NAME.accepts(key) or not LABEL_VALUE.accepts(label):
                raise ValueError(f"{key}: {label!r} is not a label that Kubernetes takes")
        return value


class PerformerKubernetes(PerformerOptions):
    """The keys of ``kubernetes.performerDefaults``, over those, and two more.

    ``performerName`` follows a Performer object that somebody else keeps, by GitOps for example:
    it is never written to. ``endpointOverride`` is where tasks go whatever the cluster says."""

    endpoint_override: str = ""
    performer_name: str = Field(default="", max_length=MAX_NAME_LENGTH)

    @model_validator(mode="after")
    def _followed_as_it_is(self) -> "PerformerKubernetes":
        if self.performer_name and (self.spec or self.labels or self.service_account_name):
            raise ValueError(
                f"the Performer {self.performer_name} is followed as it is: what it says is "
                "changed where it is kept, so leave the other options out"
            )
        return self


def options_text(
    defaults: PerformerOptions, own: PerformerOptions, replicas: int | None = None
) -> str:
    """Return the options of one performer, its own over the defaults, as a deployment keeps them.

    Mappings are merged, everything else is replaced; "" where nothing is said. Its own
    ``serviceAccountName`` is not among them: a deployment keeps that beside.
    """
    spec = merged(_spec(defaults), own.spec)
    if replicas is not None:
        spec["replicas"] = replicas
    labels = {**defaults.labels, **own.labels}
    if not (spec or labels):
        return ""
    return json.dumps({"spec": spec, "labels": labels}, sort_keys=True, separators=(",", ":"))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        found[key] = merged(old, value) if both and old is not None else value
    return found


def _spec(options: PerformerOptions) -> dict[str, Any]:
    if not options.service_account_name:
        return options.spec
    return merged(options.spec, {"config": {"serviceAccountName": options.service_account_name}})


def _refusals(given: Mapping[str, Any]) -> list[str]:
    """Return the words about fields that are said elsewhere."""
    return [f"{path}: {why}" for path, why in SAID_ELSEWHERE.items() if _has(given, path)]


def _has(given: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(given, Mapping) or key not in given:
            return False
        given = given[key]
    return True


def _allowed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given without what is said elsewhere, which has its own words."""
    found = {key: one for key, one in given.items() if key not in SAID_ELSEWHERE}
    rollout = found.get("rollout")
    if isinstance(rollout, Mapping):
        found["rollout"] = {key: one for key, one in rollout.items() if key != "decision"}
    return found


__all__ = [
    "SAID_ELSEWHERE",
    "PerformerKubernetes",
    "PerformerOptions",
    "merged",
    "option_schema",
    "options_text",
]
