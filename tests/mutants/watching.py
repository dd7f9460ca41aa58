"""Bugs of watches, and of what is shown of a performer, that the suite must find."""

from tests.mutants.mutant import Mutant

CONTROL = "operator/hourglass_operator/control"

FEED = "tests/unit/control/test_feed.py"
ENDPOINTS = "tests/unit/control/test_endpoints.py"
ROLES = "tests/unit/routing/test_roles.py"
ENCODING = "tests/unit/control/test_encoding.py"

WATCHING_CATALOGUE = (
    Mutant(
        "a token resumes with what its holder knows",
        f"{CONTROL}/feed.py",
        "entry.version > known.reached[entry.slot]",
        "entry.version >= known.reached[entry.slot]",
        FEED,
        "test_what_changed_is_sent_once_as_it_is_now_and_its_end_resumes_after_it",
    ),
    Mutant(
        "what the history has forgotten is taken for known",
        f"{CONTROL}/feed.py",
        "            self._floor[old.slot] = max(self._floor[old.slot], old.version)",
        "            pass",
        FEED,
        "test_a_token_that_the_history_has_forgotten_begins_anew",
    ),
    Mutant(
        "what a list jumped over is taken for known",
        f"{CONTROL}/feed.py",
        "            self._floor[slot] = max(self._floor[slot], version)",
        "            pass",
        FEED,
        "test_a_token_from_inside_a_gap_that_a_list_jumped_over_begins_anew",
    ),
    Mutant(
        "a pod is forgotten that nothing shows yet",
        f"{CONTROL}/views.py",
        "not matters(change.old, change.new):",
        "not matters(change.old, change.new) or (change.key[0], name) not in self._members:",
        FEED,
        "test_a_token_holds_on_a_replica_that_saw_the_kinds_in_another_order",
    ),
    Mutant(
        "a replica that is behind answers as if it were not",
        f"{CONTROL}/watching.py",
        "    if not feed.is_behind(token, views.caches.versions()):",
        "    if True:",
        FEED,
        "test_a_replica_that_stays_behind_begins_anew",
    ),
    Mutant(
        "a token is given in the middle of what one list brought",
        f"{CONTROL}/feed.py",
        "if is_as_far(event.resume_token, after.resume_token)",
        "if event.resume_token == after.resume_token",
        FEED,
        "test_what_one_list_brought_has_its_token_at_the_end",
    ),
    Mutant(
        "the buffer of a watcher has no bound",
        f"{CONTROL}/feed.py",
        "        if len(self._pending) >= self.at_most:",
        "        if len(self._pending) >= 1 << 62:",
        FEED,
        "test_a_full_buffer_drops_all_of_it_and_says_so",
    ),
    Mutant(
        "an instance that was replaced vanishes before it has ended",
        f"{CONTROL}/endpoints.py",
        "                or name in self.members.left\n",
        "",
        ENDPOINTS,
        "test_an_instance_is_shown_with_the_part_it_plays[was-replaced-a-moment-ago]",
    ),
    Mutant(
        "a fenced performer takes tasks until its slices are gone",
        f"{CONTROL}/endpoints.py",
        "if leaves or (role is Role.IN_SERVICE and _is_fenced(self.manifest)):",
        "if leaves:",
        ENDPOINTS,
        "test_an_instance_is_shown_with_the_part_it_plays[is-fenced-just-now]",
    ),
    Mutant(
        "a staged instance gets tasks in the executor",
        "executor/hourglass_executor/routing/roles.py",
        "    return deployment if instance is Role.IN_SERVICE else instance",
        "    return instance if instance is Role.DRAINING else deployment",
        ROLES,
        "test_what_its_deployer_has_not_in_service_takes_no_task",
    ),
    Mutant(
        "the length of a performer is cut to one byte",
        "services/hourglass_services/control/encoding.py",
        "    while number > 0x7F:",
        "    while number > 0xFF:",
        ENCODING,
        "test_an_answer_with_one_performer_or_many_reads_as_the_message",
    ),
)
