"""Why a performer, or one of its revisions, serves or does not: step by step. Pure.

A step is judged as soon as what it needs is there; the first that does not hold is the answer, and
what can not be judged before it holds is skipped, by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.objects import condition, is_pod_ready, is_terminating, labels
from hourglass_services.control.port import Explanation, InstanceSteps, Step, StepState

from hourglass_operator.planning.intent import Wish, wish_of
from hourglass_operator.planning.naming import REVISION_LABEL, SERVING, SERVING_LABEL
from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.plan import next_step, turn_of
from hourglass_operator.planning.reasons import BLOCKED, STALLED, Reason
from hourglass_operator.planning.revision import Revision
from hourglass_operator.planning.step import Turn
from hourglass_operator.planning.target import find
from hourglass_operator.planning.trouble import CHECKS, READY_WITHIN, Trouble, find_trouble

from .revisions import role_by_hash

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is looked at: one revision of a performer, that the spec asks for or another."""

    seen: Observed
    wish: Wish
    turn: Turn
    hash: str
    revision: Revision | None
    role: Role
    pods: tuple[Manifest, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        return self.seen.performer.name

    @property
    def reason(self) -> str:
        ready = condition({"status": self.seen.performer.status}, "Ready") or {}
        return str(ready.get("reason", ""))

    @property
    def message(self) -> str:
        ready = condition({"status": self.seen.performer.status}, "Ready") or {}
        return str(ready.get("message", ""))


Judge = Callable[[Case], Step]
"""Judges one step; called only where all before it passed, unless the step stands alone."""


def explain(seen: Observed, endpoints: Sequence[Endpoint], revision: str = "") -> Explanation:
    """Return why ``revision``, or the one that the spec asks for, serves or does not.

    NOT_FOUND if the performer has no such revision.
    """
    case = _case(seen, endpoints, revision)
    steps = _judged(case)
    stop = next((step for step in steps if step.state is not StepState.PASSED), None)
    return Explanation(
        serving=stop is None,
        summary=_summary(case, stop),
        revision=case.hash,
        steps=tuple(steps),
        instances=tuple(_instance(case, pod) for pod in case.pods),
    )


def _case(seen: Observed, endpoints: Sequence[Endpoint], revision: str) -> Case:
    wish = wish_of(seen.performer)
    turn = turn_of(seen, wish)
    hash_ = revision or seen.revision
    found = find(turn.revisions, hash_)
    if revision and found is None and revision != seen.revision:
        kept = ", ".join(sorted(r.hash for r in turn.revisions)) or "none"
        raise HourglassError(
            Code.NOT_FOUND,
            f"performer {seen.performer.name!r} has no revision {revision!r}; there are: {kept}",
            reason="REVISION_NOT_FOUND",
            hint="ListRevisions shows them",
        )
    pods = [pod for pod in seen.pods if labels(pod).get(REVISION_LABEL) == hash_]
    return Case(
        seen=seen,
        wish=wish,
        turn=turn,
        hash=hash_,
        revision=found,
        role=role_by_hash(seen.performer.status, turn.revisions).get(hash_, Role.STAGED),
        pods=tuple(sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))),
        endpoints=tuple(each for each in endpoints if each.revision == hash_),
    )


def _judged(case: Case) -> list[Step]:
    steps: list[Step] = []
    first = ""
    for name, alone, judge in _STEPS:
        if first and not alone:
            steps.append(_skipped(name, first))
            continue
        step = judge(case)
        steps.append(step)
        if step.state is not StepState.PASSED and not first:
            first = name
    return steps


def _skipped(name: str, first: str) -> Step:
    return Step(name, StepState.SKIPPED, "NotReached", f"looked at once {first} holds")


def _exists(case: Case) -> Step:
    if case.seen.performer.deleting:
        return _blocked("Exists", "Deleting", "the performer is being deleted")
    return Step("Exists", StepState.PASSED)


def _observed(case: Case) -> Step:
    performer = case.seen.performer
    seen = int(performer.status.get("observedGeneration", 0))
    if performer.status and seen >= performer.generation:
        return Step("Observed", StepState.PASSED)
    text = f"the operator has seen generation {max(seen, 0)} of {performer.generation}"
    hint = "if this lasts, no operator leads: hourglass check says why"
    return Step("Observed", StepState.WAITING, "NotObserved", text, hint)


def _wanted(case: Case) -> Step:
    if case.wish.suspend:
        text = "it is suspended: nothing runs until spec.suspend is set to false"
        return _blocked("Wanted", Reason.SUSPENDED, text, _command(case, "resume"))
    if case.wish.replicas == 0:
        return _blocked("Wanted", Reason.SCALED_TO_ZERO, "no instances are wanted", _scale(case))
    return Step("Wanted", StepState.PASSED, message=f"{case.wish.instances} instances are wanted")


def _unfenced(case: Case) -> Step:
    if case.wish.fence:
        text = "it is fenced: its instances take no tasks until spec.fence is set to false"
        return _blocked("Unfenced", Reason.FENCED, text, _command(case, "unfence"))
    return Step("Unfenced", StepState.PASSED)


def _accepted(case: Case) -> Step:
    if case.reason in {reason.value for reason in BLOCKED}:
        return _blocked("Accepted", case.reason, case.message, _KNOWN_HINTS.get(case.reason, ""))
    return Step("Accepted", StepState.PASSED)


def _chosen(case: Case) -> Step:
    revision = case.revision
    if revision is not None and revision.rejected:
        instead = case.turn.target.hash
        text = f"revision {case.hash} is not to serve ({revision.rejected}); {instead} is"
        return _blocked("Chosen", revision.rejected, text, _command(case, "promote"))
    if case.hash not in (case.seen.revision, case.turn.target.hash):
        text = f"the spec asks for revision {case.seen.revision}; {case.hash} is an earlier one"
        hint = f"{_command(case, 'rollback')} --revision {case.hash}"
        return _blocked("Chosen", case.role.value, text, hint)
    return Step("Chosen", StepState.PASSED)


def _created(case: Case) -> Step:
    if case.revision is None:
        text = f"revision {case.hash} has no ReplicaSet yet"
        return Step("Created", StepState.WAITING, Reason.STARTING.value, text)
    if case.revision.existing == 0:
        trouble = find_trouble(case.revision, (), case.seen.now)
        if trouble is not None:
            return _of_trouble("Created", trouble)
        return Step("Created", StepState.WAITING, Reason.STARTING.value, "it has no instances yet")
    text = f"{case.revision.existing} instances of {case.revision.wanted} exist"
    return Step("Created", StepState.PASSED, message=text)


def _ready(case: Case) -> Step:
    revision = case.revision
    ready = revision.ready if revision is not None else 0
    text = f"{ready} of {case.wish.instances} instances of revision {case.hash} are ready"
    if ready:
        return Step("Ready", StepState.PASSED, message=text)
    waiting = [pod for pod in case.pods if not is_terminating(pod) and not is_pod_ready(pod)]
    trouble = find_trouble(revision, waiting, case.seen.now)
    if trouble is not None:
        return _of_trouble("Ready", trouble)
    return Step("Ready", StepState.WAITING, Reason.STARTING.value, text)


def _promoted(case: Case) -> Step:
    if case.role is Role.IN_SERVICE:
        return Step("Promoted", StepState.PASSED)
    if case.role in (Role.DRAINING, Role.RETIRED):
        text = f"revision {case.hash} was replaced: it is {case.role.value}"
        hint = f"{_command(case, 'rollback')} --revision {case.hash}"
        return _blocked("Promoted", case.role.value, text, hint)
    step = next_step(case.turn)
    reason = step.waits or Reason.ROLLING_OUT
    text = step.message or case.message or "the revision is not complete yet"
    if reason in STALLED:
        return _blocked("Promoted", reason, text, _command(case, "promote"))
    hint = _command(case, "promote") if reason is Reason.AWAITING_PROMOTION else ""
    return Step("Promoted", StepState.WAITING, reason.value, text, hint)


def _addressable(case: Case) -> Step:
    usable = [e for e in case.endpoints if e.ready and e.role is Role.IN_SERVICE]
    if usable:
        return Step("Addressable", StepState.PASSED, message=f"{len(usable)} addresses take tasks")
    text = "no ready instance has an address in the performer's Service yet"
    service = case.seen.performer.status.get("serviceName", "")
    hint = f"kubectl get endpointslices -l kubernetes.io/service-name={service}"
    return Step("Addressable", StepState.WAITING, "NoAddress", text, hint)


_STEPS: tuple[tuple[str, bool, Judge], ...] = (
    ("Exists", True, _exists),
    ("Wanted", True, _wanted),
    ("Unfenced", True, _unfenced),
    ("Observed", True, _observed),
    ("Chosen", True, _chosen),
    ("Accepted", False, _accepted),
    ("Created", False, _created),
    ("Ready", False, _ready),
    ("Promoted", False, _promoted),
    ("Addressable", False, _addressable),
)
"""Name, whether it can be judged whatever holds before it, and its judge; in the order of a task's
way."""

_KNOWN_HINTS = {
    Reason.NAME_TAKEN.value: "delete the object that has the name, or name the performer otherwise",
    Reason.INVALID_SPEC.value: "hourglass performer lint names every bad field of a manifest",
    Reason.PODS_REFUSED.value: "the message is the API's own: change what it names",
}


def _instance(case: Case, pod: Manifest) -> InstanceSteps:
    name = str(pod["metadata"]["name"])
    mine = [endpoint for endpoint in case.endpoints if endpoint.instance == name]
    steps = _instance_steps(case, pod, mine)
    role = mine[0].role if mine else case.role
    passed = all(step.state is StepState.PASSED for step in steps)
    serving = passed and any(e.ready and e.role is Role.IN_SERVICE for e in mine)
    return InstanceSteps(name, case.hash, role, serving, tuple(steps))


def _instance_steps(case: Case, pod: Manifest, mine: Sequence[Endpoint]) -> list[Step]:
    steps = [_running(pod), _healthy(case, pod), _in_service(pod), _has_address(mine)]
    stop = next((n for n, step in enumerate(steps) if step.state is not StepState.PASSED), None)
    if stop is None:
        return steps
    rest = [_skipped(step.name, steps[stop].name) for step in steps[stop + 1 :]]
    return [*steps[: stop + 1], *rest]


def _running(pod: Manifest) -> Step:
    if is_terminating(pod):
        return _blocked("Running", "Terminating", "the instance is on its way out")
    found = next(filter(None, (check(pod) for check in CHECKS)), None)
    return Step("Running", StepState.PASSED) if found is None else _of_trouble("Running", found)


def _healthy(case: Case, pod: Manifest) -> Step:
    if is_pod_ready(pod):
        return Step("Ready", StepState.PASSED)
    said = str((condition(pod, "Ready") or {}).get("message", ""))
    text = f"its health check has not passed yet{f' ({said})' if said else ''}"
    hint = f"after {READY_WITHIN.seconds} s that counts as a fault; {_command(case, 'logs')}"
    return Step("Ready", StepState.WAITING, Reason.STARTING.value, text, hint)


def _in_service(pod: Manifest) -> Step:
    if labels(pod).get(SERVING_LABEL, SERVING) == SERVING:
        return Step("InService", StepState.PASSED)
    text = "it was taken out: it finishes its tasks and is then removed"
    return _blocked("InService", Reason.DRAINING, text)


def _has_address(mine: Sequence[Endpoint]) -> Step:
    found = next((endpoint for endpoint in mine if endpoint.ready), None)
    if found is not None:
        return Step("Addressable", StepState.PASSED, message=found.address)
    return Step("Addressable", StepState.WAITING, "NoAddress", "no Service has its address yet")


def _of_trouble(name: str, trouble: Trouble) -> Step:
    state = StepState.BLOCKED if trouble.reason in STALLED else StepState.WAITING
    return Step(name, state, trouble.reason.value, trouble.message)


def _blocked(name: str, reason: Reason | str, message: str, hint: str = "") -> Step:
    word = reason.value if isinstance(reason, Reason) else reason
    return Step(name, StepState.BLOCKED, word, message, hint)


def _summary(case: Case, stop: Step | None) -> str:
    if stop is None:
        ready = sum(1 for e in case.endpoints if e.ready and e.role is Role.IN_SERVICE)
        return f"revision {case.hash} takes tasks at {ready} of {case.wish.instances} instances"
    return f"{stop.message}; {stop.hint}" if stop.hint else stop.message


def _command(case: Case, verb: str) -> str:
    namespace = case.seen.performer.namespace
    return f"hourglass performer {verb} {case.name} -n {namespace}"


def _scale(case: Case) -> str:
    return f"{_command(case, 'scale')} --replicas 1"
