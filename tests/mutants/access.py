"""Bugs by which the wrong ones could call PerformerControl, or see what they should not."""

from tests.mutants.mutant import Mutant

RPC = "services/hourglass_services/rpc"
REVIEWS = "operator/hourglass_operator/control/reviews.py"

ACCESS = "tests/unit/rpc/test_access.py"
CERTIFICATE = "tests/unit/rpc/test_certificate.py"
GUARD = "tests/unit/rpc/test_guard.py"
TLS = "tests/integration/rpc/test_tls.py"

ACCESS_CATALOGUE = (
    Mutant(
        "a token for somebody else's API is good for ours",
        REVIEWS,
        '    if audience not in (status.get("audiences") or ()):',
        "    if False:",
        "tests/unit/control/test_reviews.py",
        "test_a_token_that_is_not_valid_for_us_is_nobodys",
    ),
    Mutant(
        "an answer about one performer counts for all of them",
        f"{RPC}/access.py",
        "_sorted_extra(caller), wish)",
        "_sorted_extra(caller), wish.verb)",
        ACCESS,
        "test_an_answer_is_only_for_that_caller_and_that_wish",
    ),
    Mutant(
        "what was allowed once is allowed for good",
        f"{RPC}/remembered.py",
        "        if now >= found[1]:",
        "        if False:",
        ACCESS,
        "test_a_right_that_was_taken_away_is_gone_within_ten_seconds",
    ),
    Mutant(
        "a token outlives its expiry for as long as it is remembered",
        f"{RPC}/access.py",
        "until = asked + min(self._memory.allowed, left)",
        "until = asked + self._memory.allowed",
        ACCESS,
        "test_a_token_is_not_trusted_beyond_its_expiry",
    ),
    Mutant(
        "every made-up token is a question to the API",
        f"{RPC}/access.py",
        "            if wait:",
        "            if False:",
        ACCESS,
        "test_a_peer_has_us_ask_about_ten_new_tokens_a_second_and_no_more",
    ),
    Mutant(
        "a certificate names an account of Kubernetes",
        f"{RPC}/certificate.py",
        "    if name.startswith(RESERVED):",
        "    if False:",
        CERTIFICATE,
        "test_a_subject_that_names_no_user_of_ours_is_refused",
    ),
    Mutant(
        "a certificate makes its user an administrator",
        f"{RPC}/certificate.py",
        " and not value.startswith(RESERVED)",
        "",
        CERTIFICATE,
        "test_groups_that_only_kubernetes_gives_are_left_out",
    ),
    Mutant(
        "a caller is known and then may do everything",
        f"{RPC}/guard.py",
        "                until = min(until, await self._authorize(call))\n",
        "",
        GUARD,
        "test_a_caller_without_the_right_is_told_which_one_and_how_to_get_it",
    ),
    Mutant(
        "a stream goes on for those who may not have it any more",
        f"{RPC}/guard.py",
        "        if self.again is None or self.clock is None or self.until == FOREVER:",
        "        if True:",
        GUARD,
        "test_a_stream_ends_once_its_right_is_taken_away",
    ),
    Mutant(
        "a token is taken in plaintext from a network",
        f"{RPC}/guard.py",
        "        if token is not None and not secure and self.exposed:",
        "        if False:",
        GUARD,
        "test_a_token_in_plaintext_over_a_network_is_refused",
    ),
    Mutant(
        "a method without a rule is served to everybody who is known",
        f"{RPC}/guard.py",
        "        if wrong:",
        "        if False:",
        GUARD,
        "test_a_method_without_a_rule_is_not_served",
    ),
    Mutant(
        "reflection answers strangers",
        f"{RPC}/server.py",
        "        admit = None if guard is None else self._admit_to_reflection",
        "        admit = None",
        GUARD,
        "test_health_is_open_and_reflection_to_whoever_is_known",
    ),
    Mutant(
        "a change is made before it is recorded",
        f"{RPC}/guard.py",
        "                call.record()\n",
        "",
        GUARD,
        "test_a_change_is_recorded_before_it_is_made_and_without_secrets",
    ),
    Mutant(
        "a refusal repeats the secrets of its request",
        f"{RPC}/guard.py",
        "            clean = redacted(error, secrets)",
        "            clean = error",
        GUARD,
        "test_a_denial_by_the_servicer_is_recorded_and_repeats_no_secret",
    ),
    Mutant(
        "a new key is taken without its certificate",
        f"{RPC}/tls.py",
        "        _check(self._files, found)\n",
        "",
        TLS,
        "test_a_pair_that_does_not_belong_together_is_not_taken",
    ),
    Mutant(
        "a new certificate is never taken",
        f"{RPC}/tls.py",
        "        same = _read(self._files) == found",
        "        same = False",
        TLS,
        "test_clients_of_an_authority_that_was_replaced_are_refused",
    ),
)
