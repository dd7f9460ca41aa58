"""Bugs by which the executor would lose a task, run it twice or send it where it must not go."""

from tests.mutants.mutant import Mutant

BACKOFF = "common/hourglass_common/domain/backoff.py"
EXECUTOR = "executor/hourglass_executor"
BREAKER = f"{EXECUTOR}/routing/breaker.py"
POOL = f"{EXECUTOR}/routing/pool.py"
DISPATCHER = f"{EXECUTOR}/dispatch/dispatcher.py"

UNIT = "tests/unit/routing"
BREAKERS = f"{UNIT}/test_breaker.py"
ROUTER = f"{UNIT}/test_router.py"
CHANGES = f"{UNIT}/test_router_under_change.py"
ADMISSIONS = "tests/unit/tasks/test_admission.py"
TASKS = "tests/unit/executor/test_tasks.py"
STORES = "tests/unit/storage/test_store.py"
ONE_TASK = "tests/integration/dispatch/test_one_task.py"
HEDGING = "tests/integration/dispatch/test_hedging.py"

_ONE_PROBE = "test_open_admits_nothing_before_its_time_and_one_probe_then"
_IN_SERVICE = "test_only_an_instance_in_service_takes_tasks"

_ROUTING = (
    Mutant(
        "executor: a probe is not counted",
        BREAKER,
        "            return HalfOpen(epoch + 1, trips, lost_at), BreakerPermit(epoch + 1)",
        "            return state, BreakerPermit(epoch)",
        BREAKERS,
        _ONE_PROBE,
    ),
    Mutant(
        "executor: half-open lets two through",
        BREAKER,
        "            if now < due:",
        "            if now < due and isinstance(state, Open):",
        BREAKERS,
        _ONE_PROBE,
    ),
    Mutant(
        "executor: a call from before the trip poses as the probe",
        BREAKER,
        "    if permit.epoch != state.epoch:",
        "    if permit.epoch > state.epoch:",
        BREAKERS,
        "test_a_lost_probe_makes_room_for_another_and_counts_no_more",
    ),
    Mutant(
        "executor: back-off has no cap",
        BACKOFF,
        "min(self.maximum, self.minimum * 2.0",
        "max(self.minimum, self.minimum * 2.0",
        BREAKERS,
        "test_each_bad_probe_opens_it_for_longer_up_to_the_maximum",
    ),
    Mutant(
        "executor: the last usable instance is ejected",
        POOL,
        "        soonest.breaker = reinstate(soonest.breaker)",
        "        reinstate(soonest.breaker)",
        f"{UNIT}/test_small_sets.py",
        "test_which_instances_are_ejected",
    ),
    Mutant(
        "executor: the queue has no bound",
        POOL,
        "if len(self.queue) >= self.policy.queue or held",
        "if held",
        ROUTER,
        "test_a_full_queue_refuses_at_once_and_says_when_to_come_back",
    ),
    Mutant(
        "executor: a free instance is as good as a busy one",
        POOL,
        "            elif in_flight < fewest:",
        "            elif in_flight < concurrency and not least_busy:",
        ROUTER,
        "test_the_least_loaded_instance_is_chosen",
    ),
    Mutant(
        "executor: the slower of two is chosen",
        f"{EXECUTOR}/routing/balance.py",
        "    lowest = min(latencies)",
        "    lowest = max(latencies)",
        ROUTER,
        "test_among_equally_loaded_ones_the_faster_is_chosen",
    ),
    Mutant(
        "executor: a caller's fault trips a breaker",
        f"{EXECUTOR}/routing/policy.py",
        "            return Verdict.SUCCESS",
        "            return Verdict.FAILURE if code else Verdict.SUCCESS",
        CHANGES,
        "test_what_is_no_fault_of_the_performer_never_trips",
    ),
    Mutant(
        "executor: an instance is used before its first SERVING",
        f"{EXECUTOR}/routing/health.py",
        "                return HealthStatus.UNKNOWN",
        "                return HealthStatus.SERVING",
        ROUTER,
        "test_a_task_waits_for_the_first_serving",
    ),
    Mutant(
        "executor: NOT_SERVING changes nothing",
        f"{EXECUTOR}/routing/slot.py",
        "                return SkipReason.NOT_SERVING",
        "                return None",
        ROUTER,
        "test_each_reason_not_to_use_an_instance_is_told",
    ),
    Mutant(
        "executor: a staged instance takes tasks",
        f"{EXECUTOR}/routing/roles.py",
        "            return SkipReason.STAGED",
        "            return None",
        ROUTER,
        _IN_SERVICE,
    ),
    Mutant(
        "executor: a draining instance takes tasks",
        f"{EXECUTOR}/routing/roles.py",
        "            return SkipReason.DRAINING",
        "            return None",
        ROUTER,
        _IN_SERVICE,
    ),
)

_DISPATCHING = (
    Mutant(
        "executor: a task of unknown outcome is sent again",
        f"{EXECUTOR}/dispatch/ends.py",
        "return idempotent and end.code is not",
        "return end.code is not",
        ONE_TASK,
        "test_a_status_that_a_broken_connection_can_give_proves_nothing",
    ),
    Mutant(
        "executor: a cancelled call keeps its place",
        DISPATCHER,
        "            self._handle(ended)",
        "            if ended.code is not Code.CANCELLED:\n                self._handle(ended)",
        ONE_TASK,
        "test_a_cancelled_execution_cancels_the_call_and_frees_its_place",
    ),
    Mutant(
        "executor: the deadline is not passed on",
        DISPATCHER,
        "timeout_seconds=deadline - self._clock.monotonic()",
        "timeout_seconds=3600.0",
        ONE_TASK,
        "test_the_deadline_goes_with_the_task",
    ),
    Mutant(
        "executor: a repeat costs half of what it should",
        f"{EXECUTOR}/routing/retry_budget.py",
        "RetryBudget(self.tokens - 1.0)",
        "RetryBudget(self.tokens - 0.5)",
        f"{UNIT}/test_retry_budget.py",
        "test_a_few_retries_are_free",
    ),
    Mutant(
        "executor: a second attempt costs the budget nothing",
        DISPATCHER,
        "        self._spend(task.avs)\n        self._metrics",
        "        self._metrics",
        HEDGING,
        "test_second_attempts_stay_within_the_budget",
    ),
    Mutant(
        "executor: a task that must not run twice is sent twice",
        DISPATCHER,
        "if not task.idempotent or not hedge.is_on",
        "if not hedge.is_on",
        HEDGING,
        "test_no_second_attempt_for_others_nor_by_default",
    ),
)

_KEEPING = (
    Mutant(
        "executor: a task is dispatched before it is kept",
        f"{EXECUTOR}/api/tasks.py",
        "await self._store.accept(task)",
        "task",
        TASKS,
        "test_a_caller_that_leaves_takes_its_wait_and_not_the_task",
    ),
    Mutant(
        "executor: a task of unknown outcome leaves its id free",
        f"{EXECUTOR}/api/tasks.py",
        "        if may_start_anew(outcome):",
        "        if outcome:",
        ONE_TASK.replace("dispatch/test_one_task", "executor/test_process_mode"),
        "test_a_performer_that_dies_in_the_middle_leaves_an_unknown_outcome",
    ),
    Mutant(
        "executor: a repeat is dispatched again",
        f"{EXECUTOR}/tasks/admission.py",
        "            return Join()",
        "            return Run()",
        ADMISSIONS,
        "test_a_repeat_joins_the_running_execution",
    ),
    Mutant(
        "executor: another content under the same id is accepted",
        f"{EXECUTOR}/tasks/admission.py",
        "    if known.digest != digest:",
        "    if not known.digest:",
        ADMISSIONS,
        "test_another_content_under_the_id_is_refused_and_shown_nothing",
    ),
    Mutant(
        "executor: what a performer had is run again after a crash",
        f"{EXECUTOR}/storage/recover.py",
        "        if task.state is TaskState.ACCEPTED",
        "        if task.state not in ENDED",
        "tests/unit/storage/test_recover.py",
        "test_a_dispatched_task_has_an_unknown_outcome",
    ),
    Mutant(
        "executor: a later end replaces the first",
        f"{EXECUTOR}/storage/rules.py",
        "    if row.state in ENDED:",
        "    if row.state is None:",
        STORES,
        "test_the_first_end_stands",
    ),
    Mutant(
        "executor: a write is answered before its COMMIT",
        f"{EXECUTOR}/storage/sqlite/writer.py",
        '            connection.execute("COMMIT")',
        "            self._loop.call_soon_threadsafe(self._deliver, batch)\n"
        '            __import__("time").sleep(0.2)\n'
        '            connection.execute("COMMIT")',
        "tests/unit/storage/test_sqlite_store.py",
        "test_what_was_acknowledged_is_in_the_files_at_that_moment",
    ),
)

EXECUTOR_CATALOGUE = (*_ROUTING, *_DISPATCHING, *_KEEPING)
