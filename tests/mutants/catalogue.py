"""Bugs that the suite must find: each is one changed piece of source, and the tests that fail.

They are the classes of bugs that other operators have had; the comment names one where it is
known. ``tests`` are run on a copy of the sources with the one change in it; at least one of them
must fail, and all pass without the change.
"""

from dataclasses import dataclass

PLANNING = "operator/hourglass_operator/planning"
RUNTIME = "operator/hourglass_operator/runtime"
KUBE = "common/hourglass_common/kube"

PLAN = "tests/unit/operator/test_plan.py"
RULES = "tests/unit/operator/test_runtime_rules.py"
WRITER = "tests/unit/operator/test_writer.py"
SWITCH = "tests/unit/operator/test_switch.py"
LOOP = "tests/unit/operator/test_reconcile_loop.py"
ROLLOUTS = "tests/unit/operator/test_rollout_guards.py"
NAMING = "tests/unit/operator/test_naming.py"
ROLLING = "tests/property/test_rolling_update.py"
WATCH = "tests/property/test_watch_state.py"
QUEUE = "tests/property/test_work_queue.py"


@dataclass(frozen=True)
class Mutant:
    """``old``, which occurs once in ``file``, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


CATALOGUE = (
    Mutant(
        "the name of a ReplicaSet is made up each time",  # argoproj/argo-rollouts#243
        f"{PLANNING}/naming.py",
        '    return f"{performer}-{revision}"',
        '    return f"{performer}-{revision}-{id(object()) % 9973}"',
        (NAMING, PLAN),
    ),
    Mutant(
        "a deletion names no uid",  # instaclustr/cassandra-operator#402
        f"{RUNTIME}/apply.py",
        "lambda: self._client.delete(resource, namespace, name, precondition=only)",
        "lambda: self._client.delete(resource, namespace, name)",
        (WRITER,),
    ),
    Mutant(
        "a deletion names no resourceVersion",
        f"{RUNTIME}/apply.py",
        "only = Precondition(uid, version)",
        "only = Precondition(uid)",
        (WRITER,),
    ),
    Mutant(
        "a patch is over whatever is there",
        f"{RUNTIME}/apply.py",
        '            "resourceVersion": action.resource_version,\n',
        "",
        (WRITER,),
    ),
    Mutant(
        "a status is written over whatever is there",
        f"{RUNTIME}/apply.py",
        '                "resourceVersion": performer.resource_version,\n            },\n'
        '            "status": status,',
        '            },\n            "status": status,',
        (WRITER,),
    ),
    Mutant(
        "a 410 of a watch is any failure",  # tomplus/kubernetes_asyncio#327
        f"{KUBE}/watch_state.py",
        "case Watching(version), Broke(gone=False, retry_after=retry_after):",
        "case Watching(version), Broke(retry_after=retry_after):",
        (WATCH,),
    ),
    Mutant(
        "a 410 as an event is any event",  # zalando-incubator/kopf#8
        f"{KUBE}/watch_state.py",
        'gone = body.get("code") == 410 or body.get("reason") in ("Expired", "Gone")',
        "gone = False",
        (WATCH,),
    ),
    Mutant(
        "a list deletes nothing from the cache",  # operator-framework/java-operator-sdk#630
        f"{KUBE}/watch_state.py",
        'Change("deleted", key, old, None) for key, old in cache.items() if key not in fresh',
        'Change("deleted", key, old, None) for key, old in cache.items() if key in ()',
        (WATCH,),
    ),
    Mutant(
        "an object made anew under its name is the old one",  # elastic/cloud-on-k8s#4956
        f"{KUBE}/watch_state.py",
        'if before.get("uid") != after.get("uid"):',
        "if False:",
        (WATCH,),
    ),
    Mutant(
        "a watch that fails is opened again without a pause",
        f"{KUBE}/watch_state.py",
        "return replace(state, phase=Waiting(now + delay, version), failures=failures)",
        "return replace(state, phase=Waiting(now, version), failures=failures)",
        (WATCH,),
    ),
    Mutant(
        "the status is written before what it tells of",
        f"{PLANNING}/plan.py",
        "return Plan((*actions, *told, *restored), min(due, default=None))",
        "return Plan((*told, *actions, *restored), min(due, default=None))",
        (ROLLOUTS,),
    ),
    Mutant(
        "the Service is switched before the promotion is noted",
        f"{PLANNING}/plan.py",
        "ordered = [*first, *neighbours, *(a for a in sets if a not in first)]",
        "ordered = [*neighbours, *sets]",
        (SWITCH,),
    ),
    Mutant(
        "old instances are taken out before the Service is switched",
        f"{PLANNING}/plan.py",
        "ordered = [*first, *neighbours, *(a for a in sets if a not in first)]",
        "ordered = [*sets, *neighbours]",
        (SWITCH,),
    ),
    Mutant(
        "a drain is counted from the note of a promotion",
        f"{PLANNING}/blue_green.py",
        "    replaced = turn.switched_at\n",
        "    replaced = noted\n",
        (SWITCH,),
    ),
    Mutant(
        "plans are made from caches that lack our own writes",  # ray-project/kuberay#715
        f"{RUNTIME}/expectations.py",
        "if (seen is not None and seen >= version) or now - since > GIVE_UP_SECONDS:",
        "if True:",
        (RULES, LOOP),
    ),
    Mutant(
        "what was written is not waited for",
        f"{RUNTIME}/apply.py",
        "            self._wrote(call.resource, made)\n",
        "            pass\n",
        (WRITER,),
    ),
    Mutant(
        "the lease is not looked at before a write",  # cilium/cilium#42920
        f"{RUNTIME}/apply.py",
        "            if not self._may_write():",
        "            if False:",
        (WRITER,),
    ),
    Mutant(
        "a lease is taken from a holder that renews it",
        f"{RUNTIME}/lease_state.py",
        "return replace(self, record=record, unchanged_since=now)",
        "return replace(self, record=record)",
        (RULES,),
    ),
    Mutant(
        "a leader goes on when its lease is long over",
        f"{RUNTIME}/lease_state.py",
        "now - self.renewed_at < self.times.renew_within",
        "self.renewed_at >= 0.0",
        (RULES,),
    ),
    Mutant(
        "a leader goes on beside another that it has seen",
        f"{RUNTIME}/lease_state.py",
        "return fresh and not self.is_deposed",
        "return fresh",
        (RULES,),
    ),
    Mutant(
        "an executor that says nothing has nothing in flight",
        f"{PLANNING}/drain.py",
        "    known = bool(mine) and not silent\n",
        "    known = True\n",
        (ROLLOUTS,),
    ),
    Mutant(
        "an executor that fell silent with tasks is not waited for",
        f"{PLANNING}/drain.py",
        "    in_flight = sum(_held(r, instance) for r in speaking)\n",
        "    in_flight = 0\n",
        (ROLLOUTS,),
    ),
    Mutant(
        "a revision that was rolled back is promoted by itself",
        f"{PLANNING}/target.py",
        "    if mine is None or not mine.rejected:",
        "    if True:",
        (ROLLOUTS,),
    ),
    Mutant(
        "a decision for another spec is carried out",
        f"{PLANNING}/target.py",
        "if decision is None or decision.decided_for_hash != current:",
        "if decision is None:",
        (ROLLOUTS,),
    ),
    Mutant(
        "receipts of promotions are dropped",
        f"{PLANNING}/receipts.py",
        "        if notes.get(PROMOTED_AT) and notes.get(PROMOTED_FROM):",
        "        if False:",
        (ROLLOUTS,),
    ),
    Mutant(
        "a manifest without replicas asks for one",
        f"{PLANNING}/intent.py",
        "        key: before.get(key) if value is None else value",
        "        key: value",
        (ROLLOUTS,),
    ),
    Mutant(
        "instances that are not ready count as available",
        f"{PLANNING}/revision.py",
        "sum(1 for instance in self.instances if instance.ready and instance.serving)",
        "sum(1 for instance in self.instances if instance.serving)",
        (ROLLING, PLAN),
    ),
    Mutant(
        "the last instance goes before the new one is ready",  # opensearch-k8s-operator#1471
        f"{PLANNING}/rolling.py",
        "    floor = max(0, wanted - missing)\n",
        "    floor = max(0, wanted - missing - 1)\n",
        (PLAN, ROLLING),
    ),
    Mutant(
        "an instance is removed while it drains",
        f"{PLANNING}/shrink.py",
        "        free += state.over\n",
        "        free += 1\n",
        (ROLLOUTS,),
    ),
    Mutant(
        "retired revisions are kept for good",
        f"{PLANNING}/replica_sets.py",
        "    return tuple(gone[turn.spec.rollout.revision_history_limit :])",
        "    return ()",
        (PLAN,),
    ),
    Mutant(
        "a failure is tried again without a pause",
        f"{RUNTIME}/queue_state.py",
        "        delay = max(BACKOFF.delay(count, u), retry_after or 0.0)",
        "        delay = 0.0",
        (QUEUE,),
    ),
    Mutant(
        "Retry-After is not heeded",
        f"{RUNTIME}/write_window.py",
        "        self.paused_until = max(self.paused_until, now + retry_after)",
        "        self.paused_until = max(self.paused_until, now)",
        (WRITER, RULES),
    ),
    Mutant(
        "a server that fails is asked by all at once",
        f"{RUNTIME}/write_window.py",
        "        allowed = 1 if self.failures else max(1, int(self.allowed))",
        "        allowed = max(1, int(self.allowed))",
        (RULES,),
    ),
    Mutant(
        "an object of somebody else is taken for our own",
        f"{RUNTIME}/gather.py",
        "if found is None or controller_of(found) == self._uid:",
        "if True:",
        (LOOP,),
    ),
    Mutant(
        "the environment makes no revision",
        f"{PLANNING}/naming.py",
        '    "avsAddress",\n',
        '    "avsAddress",\n    "config",\n',
        (NAMING,),
    ),
    Mutant(
        "resources make no revision",
        f"{PLANNING}/naming.py",
        '    "avsAddress",\n',
        '    "avsAddress",\n    "resources",\n',
        (NAMING,),
    ),
    Mutant(
        "a default that is written out makes a revision",
        "common/hourglass_common/domain/schema.py",
        "DEFAULTS",
        "DEFAULTS",
        (NAMING,),
    ),
    Mutant(
        "an event has another name each time",
        f"{RUNTIME}/events.py",
        '        text = f"{performer.uid}/{performer.generation}/{report.reason}/{report.message}"',
        '        text = f"{performer.uid}/{self._clock.monotonic()}/{id(object())}"',
        (LOOP,),
    ),
    Mutant(
        "a transition time moves with every write",
        f"{PLANNING}/conditions.py",
        '                "lastTransitionTime": since or moment,',
        '                "lastTransitionTime": moment,',
        (PLAN,),
    ),
    Mutant(
        "a gate that failed is no obstacle",
        f"{PLANNING}/blue_green.py",
        '        if state == "Failed":',
        '        if state == "Never":',
        (ROLLOUTS,),
    ),
    Mutant(
        "a gate is passed before it was run",
        f"{PLANNING}/blue_green.py",
        '        if state != "Passed":',
        '        if state == "Never":',
        (ROLLOUTS,),
    ),
    Mutant(
        "a performer that is being deleted is still reconciled",
        f"{PLANNING}/plan.py",
        "    if seen.performer.deleting:",
        "    if False:",
        (PLAN,),
    ),
    Mutant(
        "what exists already is a failure for good",  # grpc/test-infra#105
        f"{RUNTIME}/controller.py",
        '    return error.http_status in (400, 403, 422) and error.status_reason != "Conflict"',
        "    return error.http_status in (400, 403, 409, 422)",
        (LOOP,),
    ),
)
