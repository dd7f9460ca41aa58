"""What a step asks of ReplicaSets and pods, as actions. Pure."""

from typing import Any

from hourglass_common.domain.performer_rollout import smoke_bytes

from . import manifests
from .actions import Action, Create, Delete, Patch, RunGate
from .blue_green import gate_digest
from .naming import replica_set_name
from .observed import Observed
from .revision import Revision
from .shrink import PodMark
from .step import Step, Turn
from .target import Marks


def replica_set_actions(seen: Observed, turn: Turn, step: Step) -> list[Action]:
    """Return creations, changes and removals of ReplicaSets, and changes of pods.

    Notes and size of one ReplicaSet go in one write: both hold, or neither.
    """
    actions: list[Action] = []
    name = replica_set_name(seen.performer.name, turn.target.hash)
    leaving = any(found["metadata"]["name"] == name for found in seen.replica_sets)
    if step.create is not None and not leaving and turn.target.hash == turn.current:
        made = manifests.replica_set(
            seen.performer, turn.current, step.create, step.birth, seen.defaults
        )
        actions.append(Create(made))
    for revision in turn.revisions:
        replicas = step.sizes.get(revision.name, revision.wanted)
        marks = step.marks.get(revision.name, {})
        actions += change(revision, replicas, marks)
    actions += [_mark(mark) for mark in step.pods]
    actions += [_forget(old) for old in forgotten(turn)]
    return actions


def change(revision: Revision, replicas: int, marks: Marks) -> list[Action]:
    """Return the patch of a ReplicaSet's size and notes, none where both are as they should be."""
    body: dict[str, Any] = {}
    because: list[str] = []
    if replicas != revision.wanted:
        body["spec"] = {"replicas": replicas}
        because.append(f"replicas {revision.wanted} -> {replicas}")
    if marks:
        body["metadata"] = {"annotations": dict(marks)}
        because += [key.rpartition("/")[2] for key in sorted(marks)]
    if not body:
        return []
    return [
        Patch(
            "ReplicaSet",
            revision.name,
            revision.uid,
            revision.resource_version,
            body,
            ", ".join(because),
        )
    ]


def forgotten(turn: Turn) -> tuple[Revision, ...]:
    """Return the retired revisions past the history's limit, oldest first to go."""
    keep = {turn.current, turn.target.hash, turn.serving.hash if turn.serving else ""}
    gone = [r for r in turn.revisions if r.gone and r.hash not in keep]
    gone.sort(key=lambda r: (r.promotion, r.created_at, r.name), reverse=True)
    return tuple(gone[turn.spec.rollout.revision_history_limit :])


def gate_action(seen: Observed, turn: Turn, step: Step) -> RunGate | None:
    """Return the smoke task for the staged instances, None where none is to be given now.

    They are asked where the staged Service leads, once all of them are behind it.
    """
    aim, settings = turn.aim, turn.spec.strategy.blue_green
    task = settings.gate.smoke_task if settings.gate else None
    if not step.run_gate or aim is None or task is None:
        return None
    digest = gate_digest(settings)
    result = aim.gate
    staged = {i.name for i in aim.instances if i.ready}
    found = {e.pod: e.target for e in seen.staged_endpoints if e.ready and e.pod in staged}
    if len(found) < len(staged):
        return None
    return RunGate(
        name=aim.name,
        uid=aim.uid,
        resource_version=aim.resource_version,
        addresses=tuple(found.values()),
        payload=smoke_bytes(task.payload, task.encoding),
        expected=smoke_bytes(task.expected_output, task.encoding),
        timeout_seconds=task.timeout_seconds,
        digest=digest,
        tries=result.tries if result is not None and result.digest == digest else 0,
    )


def _mark(mark: PodMark) -> Patch:
    pod = mark.instance
    return Patch("Pod", pod.name, pod.uid, pod.resource_version, mark.change, mark.because)


def _forget(old: Revision) -> Delete:
    return Delete("ReplicaSet", old.name, old.uid, old.resource_version)
