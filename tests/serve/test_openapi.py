"""Whatever the OpenAPI document allows is answered without a fault of ours (schemathesis)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from support.doors import served
from support.world import action, cart_journey, document

SERVER = "sk-of-these-tests"
SHOP = document(
    actions=[action("web", channels=["web"], placements=["home_hero"]), action("cart_reminder")],
    journeys=[cart_journey()],
)


SOME = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("door"), SHOP, "wk-of-these-tests", SERVER) as door:
        yield door


def test_nothing_that_the_document_allows_is_answered_with_a_fault_of_ours(url: str):
    described = schemathesis.openapi.from_dict(httpx.get(f"{url}/openapi.json", trust_env=False).json())
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 25
    answered: Counter[int] = Counter()
    for operation in operations:

        @SOME
        @given(operation.as_strategy())
        def ask(case: schemathesis.Case):
            answer = case.call(base_url=url, headers={"x-api-key": SERVER})
            answered[answer.status_code] += 1
            fault = f"{case.operation.label}: {answer.status_code}: {answer.text[:300]}"
            assert answer.status_code < 500 or answer.status_code == 503, fault

        ask()
    assert answered[200] > 10 and answered[400] + answered[404] > 20, answered
