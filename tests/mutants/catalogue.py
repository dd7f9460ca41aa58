"""Bugs that the suite must find: each is one changed piece of source, and a test that fails.

They are the classes of bugs that other operators have had; the comment names one where it is
known. ``test`` of ``suite`` is run on a copy of the sources with the one change in it, and has to
fail; without the change it passes.
"""

from tests.mutants.access import ACCESS_CATALOGUE
from tests.mutants.control import CONTROL_CATALOGUE
from tests.mutants.executor import EXECUTOR_CATALOGUE
from tests.mutants.mutant import Mutant
from tests.mutants.policy import POLICY_CATALOGUE
from tests.mutants.watching import WATCHING_CATALOGUE

PLANNING = "operator/hourglass_operator/planning"
RUNTIME = "operator/hourglass_operator/runtime"
KUBE = "common/hourglass_common/kube"

PLAN = "tests/unit/operator/test_plan.py"
RULES = "tests/unit/operator/test_runtime_rules.py"
WRITER = "tests/unit/operator/test_writer.py"
CUT_OFF = "tests/unit/operator/test_cut_off.py"
SWITCH = "tests/unit/operator/test_switch.py"
EVENTS = "tests/unit/operator/test_events.py"
BLUE_GREEN = "tests/unit/operator/test_blue_green.py"
DECISIONS = "tests/unit/operator/test_decisions.py"
DRAINS = "tests/unit/operator/test_drains.py"
INTENTS = "tests/unit/operator/test_intents.py"
LOOP = "tests/integration/operator/test_loop_on_the_dev_api.py"
NAMING = "tests/unit/operator/test_naming.py"
ROLLING = "tests/property/test_rolling_update.py"
WATCH = "tests/property/test_watch_state.py"
QUEUE = "tests/property/test_work_queue.py"


_OPERATOR = (
    Mutant(
        "the name of a ReplicaSet is made up each time",  # argoproj/argo-rollouts#243
        f"{PLANNING}/naming.py",
        '    return f"{performer}-{revision}"',
        '    return f"{performer}-{revision}-{id(object()) % 9973}"',
        NAMING,
        "test_names_and_endpoint_follow_the_performer",
    ),
    Mutant(
        "a deletion names no uid",  # instaclustr/cassandra-operator#402
        f"{RUNTIME}/apply.py",
        "lambda: self._client.delete(resource, namespace, name, precondition=only)",
        "lambda: self._client.delete(resource, namespace, name)",
        WRITER,
        "test_a_deletion_names_the_object_and_the_version_that_was_planned_from",
    ),
    Mutant(
        "a deletion names no resourceVersion",
        f"{RUNTIME}/apply.py",
        "only = Precondition(uid, version)",
        "only = Precondition(uid)",
        WRITER,
        "test_a_deletion_names_the_object_and_the_version_that_was_planned_from",
    ),
    Mutant(
        "a patch is over whatever is there",
        f"{RUNTIME}/apply.py",
        '            "resourceVersion": action.resource_version,\n',
        "",
        WRITER,
        "test_a_patch_names_the_object_and_the_version_that_was_planned_from",
    ),
    Mutant(
        "a status is written over whatever is there",
        f"{RUNTIME}/apply.py",
        '                "resourceVersion": performer.resource_version,\n            },\n'
        '            "status": status,',
        '            },\n            "status": status,',
        WRITER,
        "test_a_status_names_the_version_that_was_planned_from_and_is_waited_for",
    ),
    Mutant(
        "a 410 of a watch is any failure",  # tomplus/kubernetes_asyncio#327
        f"{KUBE}/watch_state.py",
        "case Watching(version), Broke(gone=False, retry_after=retry_after):",
        "case Watching(version), Broke(retry_after=retry_after):",
        WATCH,
        "TestWatchState::runTest",
    ),
    Mutant(
        "a 410 as an event is any event",  # zalando-incubator/kopf#8
        f"{KUBE}/watch_state.py",
        'gone = body.get("code") == 410 or body.get("reason") in ("Expired", "Gone")',
        "gone = False",
        WATCH,
        "TestWatchState::runTest",
    ),
    Mutant(
        "a list deletes nothing from the cache",  # operator-framework/java-operator-sdk#630
        f"{KUBE}/watch_state.py",
        'Change("deleted", key, old, None) for key, old in cache.items() if key not in fresh',
        'Change("deleted", key, old, None) for key, old in cache.items() if key in ()',
        WATCH,
        "TestWatchState::runTest",
    ),
    Mutant(
        "an object made anew under its name is the old one",  # elastic/cloud-on-k8s#4956
        f"{KUBE}/watch_state.py",
        'if before.get("uid") != after.get("uid"):',
        "if False:",
        WATCH,
        "TestWatchState::runTest",
    ),
    Mutant(
        "a watch that fails is opened again without a pause",
        f"{KUBE}/watch_state.py",
        "    waiting = Waiting(now + max(pause, at_least), version)",
        "    waiting = Waiting(now, version)",
        WATCH,
        "TestWatchState::runTest",
    ),
    Mutant(
        "a 410 after an outage waits as long as the outage has taught",
        f"{KUBE}/watch_state.py",
        "    pause = RELIST.delay(relists, u) if gone",
        "    pause = RELIST.delay(failures, u) if gone",
        WATCH,
        "test_a_410_after_an_outage_is_answered_by_a_list_at_once",
    ),
    Mutant(
        "the status is written before what it tells of",
        f"{PLANNING}/plan.py",
        "return Plan((*actions, *told, *restored), min(due, default=None))",
        "return Plan((*told, *actions, *restored), min(due, default=None))",
        SWITCH,
        "test_nothing_is_taken_from_a_revision_that_the_service_still_selects",
    ),
    Mutant(
        "the Service is switched before the promotion is noted",
        f"{PLANNING}/plan.py",
        "ordered = [*first, *neighbours, *(a for a in sets if a not in first)]",
        "ordered = [*neighbours, *sets]",
        SWITCH,
        "test_nothing_is_taken_from_a_revision_that_the_service_still_selects",
    ),
    Mutant(
        "old instances are taken out before the Service is switched",
        f"{PLANNING}/plan.py",
        "ordered = [*first, *neighbours, *(a for a in sets if a not in first)]",
        "ordered = [*sets, *neighbours]",
        SWITCH,
        "test_the_service_is_widened_before_an_old_instance_is_taken_out",
    ),
    Mutant(
        "a drain is counted from the note of a promotion",
        f"{PLANNING}/blue_green.py",
        "    replaced = turn.switched_at\n",
        "    replaced = noted\n",
        SWITCH,
        "test_nothing_is_taken_from_a_revision_that_the_service_still_selects",
    ),
    Mutant(
        "plans are made from caches that lack our own writes",  # ray-project/kuberay#715
        f"{RUNTIME}/expectations.py",
        "if (seen is not None and seen >= version) or now - since > GIVE_UP_SECONDS:",
        "if True:",
        RULES,
        "test_an_own_write_is_waited_for_until_the_cache_has_it",
    ),
    Mutant(
        "what is not seen yet is made again",  # scylladb/scylla-operator#2492
        f"{RUNTIME}/controller.py",
        "        if self._expectations.unseen(key, self._cached_version, now):",
        "        if False:",
        LOOP,
        "test_what_a_late_watch_does_not_show_yet_is_not_made_again",
    ),
    Mutant(
        "what was written is not waited for",
        f"{RUNTIME}/apply.py",
        "            self._wrote(call.resource, made)\n",
        "            pass\n",
        WRITER,
        "test_no_more_than_32_writes_are_in_flight",
    ),
    Mutant(
        "the lease is not looked at before a write",  # cilium/cilium#42920
        f"{RUNTIME}/apply.py",
        "            if not self._may_write():",
        "            if False:",
        WRITER,
        "test_who_does_not_lead_sends_nothing",
    ),
    Mutant(
        "a lease is taken from a holder that renews it",
        f"{RUNTIME}/lease_state.py",
        "return replace(self, record=record, unchanged_since=now)",
        "return replace(self, record=record)",
        RULES,
        "test_a_lease_is_taken_only_after_its_holder_was_silent_for_its_duration",
    ),
    Mutant(
        "a leader goes on when its lease is long over",
        f"{RUNTIME}/lease_state.py",
        "now - self.renewed_at < self.times.renew_within",
        "self.renewed_at >= 0.0",
        RULES,
        "test_a_process_leads_only_while_its_renewals_are_fresh",
    ),
    Mutant(
        "a leader goes on beside another that it has seen",
        f"{RUNTIME}/lease_state.py",
        "return fresh and not self.is_deposed",
        "return fresh",
        RULES,
        "test_who_holds_the_lease_is_deposed_only_by_another",
    ),
    Mutant(
        "an executor that says nothing has nothing in flight",
        f"{PLANNING}/drain.py",
        "    known = bool(mine) and not silent\n",
        "    known = True\n",
        DRAINS,
        "test_an_executor_that_falls_silent_makes_the_figures_unknown",
    ),
    Mutant(
        "an executor that fell silent with tasks is not waited for",
        f"{PLANNING}/drain.py",
        "    in_flight = sum(_held(r, instance) for r in speaking)\n",
        "    in_flight = 0\n",
        DRAINS,
        "test_the_old_revision_stays_until_every_executor_says_zero",
    ),
    Mutant(
        "a revision that was rolled back is promoted by itself",
        f"{PLANNING}/target.py",
        "    if mine is None or not mine.rejected:",
        "    if True:",
        DECISIONS,
        "test_an_abort_takes_the_staged_revision_away_for_good",
    ),
    Mutant(
        "a decision for another spec is carried out",
        f"{PLANNING}/target.py",
        "if decision is None or decision.decided_for_hash != current:",
        "if decision is None:",
        DECISIONS,
        "test_a_decision_for_another_spec_is_void",
    ),
    Mutant(
        "receipts of promotions are dropped",
        f"{PLANNING}/receipts.py",
        "        if notes.get(PROMOTED_AT) and notes.get(PROMOTED_FROM):",
        "        if False:",
        DECISIONS,
        "test_a_promotion_by_hand_is_one_switch_with_a_receipt",
    ),
    Mutant(
        "how a drain ended is lost with the process",
        f"{PLANNING}/receipts.py",
        "    _recall(found, revisions)\n",
        "",
        CUT_OFF,
        "test_an_operator_that_ends_after_any_action_changes_nothing_of_the_end",
    ),
    Mutant(
        "a manifest without replicas asks for one",
        f"{PLANNING}/intent.py",
        "        key: before.get(key) if value is None else value",
        "        key: value",
        INTENTS,
        "test_a_manifest_that_does_not_name_it_changes_nothing",
    ),
    Mutant(
        "instances that are not ready count as available",
        f"{PLANNING}/revision.py",
        "sum(1 for instance in self.instances if instance.ready and instance.serving)",
        "sum(1 for instance in self.instances if instance.serving)",
        PLAN,
        "test_a_pod_that_can_not_start_names_its_reason",
    ),
    Mutant(
        "the last instance goes before the new one is ready",  # opensearch-k8s-operator#1471
        f"{PLANNING}/rolling.py",
        "    floor = max(0, wanted - missing)\n",
        "    floor = max(0, wanted - missing - 1)\n",
        PLAN,
        "test_the_old_instance_stays_until_the_new_one_is_ready",
    ),
    Mutant(
        "an instance is removed while it drains",
        f"{PLANNING}/shrink.py",
        "        free += state.over\n",
        "        free += 1\n",
        DRAINS,
        "test_a_rolling_update_takes_an_instance_out_and_waits_for_its_tasks",
    ),
    Mutant(
        "retired revisions are kept for good",
        f"{PLANNING}/replica_sets.py",
        "    return tuple(gone[turn.spec.rollout.revision_history_limit :])",
        "    return ()",
        PLAN,
        "test_only_the_last_ten_retired_revisions_are_kept",
    ),
    Mutant(
        "a failure is tried again without a pause",
        f"{RUNTIME}/queue_state.py",
        "        delay = max(BACKOFF.delay(count, u), retry_after or 0.0)",
        "        delay = 0.0",
        QUEUE,
        "TestWorkQueue::runTest",
    ),
    Mutant(
        "Retry-After is not heeded",
        f"{RUNTIME}/write_window.py",
        "        self.paused_until = max(self.paused_until, now + retry_after)",
        "        self.paused_until = max(self.paused_until, now)",
        WRITER,
        "test_a_server_that_is_busy_is_left_alone_for_the_time_it_asks_for",
    ),
    Mutant(
        "a server that fails is asked by all at once",
        f"{RUNTIME}/write_window.py",
        "        allowed = 1 if self.failures else max(1, int(self.allowed))",
        "        allowed = max(1, int(self.allowed))",
        RULES,
        "test_a_server_that_fails_is_asked_by_one_at_a_time_and_ever_less_often",
    ),
    Mutant(
        "an object of somebody else is taken for our own",
        f"{RUNTIME}/gather.py",
        "if found is None or controller_of(found) == self._uid:",
        "if True:",
        LOOP,
        "test_a_service_of_somebody_else_is_left_alone",
    ),
    Mutant(
        "the environment makes no revision",
        f"{PLANNING}/naming.py",
        '    "avsAddress",\n',
        '    "avsAddress",\n    "config",\n',
        NAMING,
        "test_the_hash_of_a_spec_never_changes",
    ),
    Mutant(
        "resources make no revision",
        f"{PLANNING}/naming.py",
        '    "avsAddress",\n',
        '    "avsAddress",\n    "resources",\n',
        NAMING,
        "test_the_hash_of_a_spec_never_changes",
    ),
    Mutant(
        "a default that is written out makes a revision",
        "common/hourglass_common/domain/schema.py",
        "        if one == default and not entry.metadata[_DETAILS].keep_default:",
        "        if False:",
        NAMING,
        "test_the_hash_of_a_spec_never_changes",
    ),
    Mutant(
        "an event has another name each time",
        f"{RUNTIME}/events.py",
        '        text = f"{performer.uid}/{performer.generation}/{report.reason}/{report.message}"',
        '        text = f"{performer.uid}/{self._clock.monotonic()}/{id(object())}"',
        EVENTS,
        "test_a_repeated_event_has_the_name_of_the_first",
    ),
    Mutant(
        "a transition time moves with every write",
        f"{PLANNING}/conditions.py",
        '                "lastTransitionTime": since or moment,',
        '                "lastTransitionTime": moment,',
        PLAN,
        "test_a_ready_performer_tells_where_it_is",
    ),
    Mutant(
        "a gate that failed is no obstacle",
        f"{PLANNING}/blue_green.py",
        '        if state == "Failed":',
        '        if state == "Never":',
        BLUE_GREEN,
        "test_a_failed_gate_stalls_the_rollout_with_its_words",
    ),
    Mutant(
        "a gate is passed before it was run",
        f"{PLANNING}/blue_green.py",
        '        if state != "Passed":',
        '        if state == "Never":',
        BLUE_GREEN,
        "test_a_failed_gate_stalls_the_rollout_with_its_words",
    ),
    Mutant(
        "a performer that is being deleted is still reconciled",
        f"{PLANNING}/plan.py",
        "    if seen.performer.deleting:",
        "    if False:",
        PLAN,
        "test_nothing_is_done_for_a_performer_that_is_being_deleted",
    ),
    Mutant(
        "what exists already is a failure for good",  # grpc/test-infra#105
        f"{RUNTIME}/controller.py",
        '    return error.http_status in (400, 403, 422) and error.status_reason != "Conflict"',
        "    return error.http_status in (400, 403, 409, 422)",
        LOOP,
        "test_what_exists_already_is_no_refusal",
    ),
)

CATALOGUE = (
    *_OPERATOR,
    *CONTROL_CATALOGUE,
    *ACCESS_CATALOGUE,
    *POLICY_CATALOGUE,
    *WATCHING_CATALOGUE,
    *EXECUTOR_CATALOGUE,
)
