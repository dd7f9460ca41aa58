"""Bugs of PerformerControl that the suite must find."""

from tests.mutants.mutant import Mutant

CONTROL = "operator/hourglass_operator/control"
SERVICES = "services/hourglass_services/control"

REQUESTS = "tests/unit/control/test_requests.py"
FILTERS = "tests/unit/control/test_filters.py"
MASK = "tests/unit/control/test_mask.py"
EXPLAIN = "tests/unit/control/test_explain.py"
LOGS = "tests/unit/control/test_logs.py"
VERBS = "tests/integration/operator/test_verbs.py"

CONTROL_CATALOGUE = (
    Mutant(
        "a repeated request is carried out again",
        f"{CONTROL}/requests.py",
        "    if not request_id or found is None:",
        "    if not request_id or found is None or found == digest:",
        REQUESTS,
        "test_a_request_is_known_by_its_id_and_its_content",
    ),
    Mutant(
        "a request id is good for any content",
        f"{CONTROL}/requests.py",
        "    if found != digest:",
        "    if not found:",
        REQUESTS,
        "test_a_request_is_known_by_its_id_and_its_content",
    ),
    Mutant(
        "an etag is not looked at",
        f"{CONTROL}/writing.py",
        "        if aim.etag and _version(found) != aim.etag:\n            raise",
        "        if not found:\n            raise",
        VERBS,
        "test_a_change_of_another_version_is_refused_and_one_of_this_is_read_back[dev]",
    ),
    Mutant(
        "what is only to be validated is written",
        f"{CONTROL}/writing.py",
        "            field_manager=self._manager,\n            dry_run=aim.validate_only,",
        "            field_manager=self._manager,\n            dry_run=False,",
        VERBS,
        "test_a_change_that_is_only_validated_changes_nothing[dev]",
    ),
    Mutant(
        "nobody is noted as the caller",
        f"{CONTROL}/writing.py",
        "if self._stamps else {}",
        "if not self._stamps else {}",
        VERBS,
        "test_each_verb_is_seen_in_the_object_and_leaves_a_receipt_with_the_caller[dev]",
    ),
    Mutant(
        "a decision is written before it is judged",
        f"{CONTROL}/service.py",
        "                check_decision(seen, decision_of(act, revision, hash_))\n",
        "",
        VERBS,
        "test_a_decision_that_can_not_be_carried_out_is_refused_and_not_written[dev]",
    ),
    Mutant(
        "a drain does not wait for the executors",
        f"{CONTROL}/draining.py",
        "        if all(found.over for found in drains):",
        "        if all(found.over or found.known for found in drains):",
        VERBS,
        "test_a_drain_answers_once_every_executor_that_spoke_holds_nothing[dev]",
    ),
    Mutant(
        "silence counts as no tasks",
        f"{CONTROL}/draining.py",
        "    if not all(found.known for found in drains):",
        "    if not drains:",
        VERBS,
        "test_a_drain_that_no_executor_speaks_of_is_unknown[dev]",
    ),
    Mutant(
        "AND binds tighter than OR",
        f"{SERVICES}/filters.py",
        "lambda m: all(part(m) for part in parts)",
        "lambda m: parts[0](m) or all(part(m) for part in parts)",
        FILTERS,
        "test_a_filter_lets_through_what_it_says",
    ),
    Mutant(
        "what a mask names and the request leaves out stays",
        f"{SERVICES}/mask.py",
        "        return _SAME if current is _MISSING else None",
        "        return _SAME",
        MASK,
        "test_a_patch_changes_what_is_named_and_no_more",
    ),
    Mutant(
        "a step that nobody looked at counts as passed",
        f"{CONTROL}/explain.py",
        '    return Step(name, StepState.SKIPPED, "NotReached"',
        '    return Step(name, StepState.PASSED, "NotReached"',
        EXPLAIN,
        "test_an_instance_that_is_not_ready_does_not_hide_those_that_are",
    ),
    Mutant(
        "the lines before a restart are shown twice",
        f"{CONTROL}/logs.py",
        "                if not last or not time or time > last:",
        "                if True:",
        LOGS,
        "test_a_container_that_begins_anew_is_followed_without_its_old_lines",
    ),
)
