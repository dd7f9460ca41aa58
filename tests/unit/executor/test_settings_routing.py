"""``routing`` of the configuration: what each key changes, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.breaker import Verdict
from hourglass_executor.settings_routing import Routing
from pydantic import ValidationError

from tests.support.executor_values import AVS, settings

PERFORMER = {
    "image": {"repository": "r", "tag": "t"},
    "avsAddress": AVS,
    "deploymentMode": "docker",
}


def refused(tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(tmp_path, **changes)
    return str(caught.value)


def own(tmp_path: Path, routing: dict[str, Any], **defaults: Any) -> Routing:
    performer = {**PERFORMER, "idempotent": True, "routing": routing}
    found = settings(tmp_path, avsPerformers=[performer], routing=defaults)
    return found.routing_of(found.avs_performers[0])


def test_the_defaults_are_those_of_the_router() -> None:
    assert Routing().policy() == DispatchPolicy()


@pytest.mark.parametrize(
    ("key", "at", "value"),
    [
        ("concurrencyPerInstance", "router.concurrency", 3),
        ("queueSize", "router.queue", 4),
        ("breaker.failures", "router.breaker.trip_after", 2),
        ("breaker.failureShare", "router.breaker.failure_share", 0.25),
        ("breaker.window", "router.breaker.window", 7),
        ("breaker.backoffMin", "router.breaker.backoff.minimum", 2.5),
        ("breaker.backoffMax", "router.breaker.backoff.maximum", 30.0),
        ("ejection.flaps", "router.flaps", 9),
        ("ejection.window", "router.flap_window", 20.0),
        ("health.period", "health.check_period", 0.5),
        ("health.timeout", "health.check_timeout", 0.25),
        ("health.misses", "health.misses_allowed", 8),
        ("retry.attempts", "retry.attempts", 5),
        ("retry.budget", "retry.ratio", 0.1),
        ("retry.atOnce", "retry.floor", 6.0),
        ("retry.backoffMin", "retry_backoff.minimum", 0.2),
        ("retry.backoffMax", "retry_backoff.maximum", 4.0),
        ("hedging.delay", "hedge.delay", 0.3),
        ("hedging.percentile", "hedge.percentile", 95),
    ],
)
def test_each_key_reaches_its_policy(key: str, at: str, value: float) -> None:
    section, _, name = key.rpartition(".")
    given = {section: {name: value}} if section else {name: value}
    policy: Any = Routing.model_validate(given).policy()
    for part in at.split("."):
        policy = getattr(policy, part)
    assert policy == value


def test_the_statuses_that_trip_are_the_ones_given() -> None:
    router = Routing.model_validate({"breaker": {"statuses": ["INTERNAL"]}}).policy().router
    assert router.verdict(Code.INTERNAL) is Verdict.FAILURE
    assert router.verdict(Code.UNAVAILABLE) is Verdict.NEUTRAL


def test_an_avs_replaces_only_the_keys_that_it_gives(tmp_path: Path) -> None:
    routing = own(
        tmp_path,
        {"breaker": {"failures": 2}, "hedging": {"percentile": 95}},
        breaker={"window": 7},
        hedging={"delay": "1s"},
        queueSize=4,
    )
    assert (routing.breaker.failures, routing.breaker.window, routing.queue_size) == (2, 7, 4)
    assert (routing.hedging.delay, routing.hedging.percentile) == (None, 95)


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        ({"breaker": {"statuses": ["NOT_FOUND"]}}, "NOT_FOUND can not trip a breaker"),
        ({"breaker": {"statuses": ["GONE"]}}, "GONE is no status: use some of"),
        ({"breaker": {"backoffMin": "2m"}}, "backoffMin 120 s is more than backoffMax 60 s"),
        ({"retry": {"backoffMin": "3s"}}, "backoffMin 3 s is more than backoffMax 2 s"),
        ({"hedging": {"delay": "1s", "percentile": 95}}, "give delay or percentile, not both"),
        ({"hedging": {"delay": 0}}, "more than 0 seconds"),
        ({"concurrencyPerInstance": 0}, "greater than or equal to 1"),
        ({"queuesize": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    tmp_path: Path, routing: dict[str, Any], words: str
) -> None:
    assert words in refused(tmp_path, routing=routing)


def test_hedging_of_an_avs_that_is_not_idempotent_is_refused(tmp_path: Path) -> None:
    performer = {**PERFORMER, "routing": {"hedging": {"delay": "1s"}}}
    assert "say idempotent: true" in refused(tmp_path, avsPerformers=[performer])


def test_what_does_not_go_together_with_the_defaults_names_the_avs(tmp_path: Path) -> None:
    performer = {**PERFORMER, "routing": {"breaker": {"backoffMax": "10s"}}}
    told = refused(tmp_path, avsPerformers=[performer], routing={"breaker": {"backoffMin": "20s"}})
    assert f"routing of AVS {AVS}" in told
    assert "backoffMin 20 s is more than backoffMax 10 s" in told
