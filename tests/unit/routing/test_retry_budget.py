from hourglass_executor.routing.retry_budget import RetryBudget, RetryPolicy

POLICY = RetryPolicy(ratio=0.2, floor=3, ceiling=10)


def spent(budget: RetryBudget) -> tuple[RetryBudget, int]:
    retries = 0
    while (left := budget.retry()) is not None:
        budget, retries = left, retries + 1
    return budget, retries


def test_a_few_retries_are_free() -> None:
    assert spent(RetryBudget.full(POLICY))[1] == 3


def test_after_those_every_fifth_attempt_earns_one() -> None:
    budget, _ = spent(RetryBudget.full(POLICY))
    retries = 0
    for _ in range(1000):
        budget = budget.first_attempt(POLICY)
        if (left := budget.retry()) is not None:
            budget, retries = left, retries + 1
    assert 198 <= retries <= 200


def test_a_long_calm_saves_no_more_than_the_ceiling() -> None:
    budget = RetryBudget.full(POLICY)
    for _ in range(1000):
        budget = budget.first_attempt(POLICY)
    assert spent(budget)[1] == 10
