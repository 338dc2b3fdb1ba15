"""The OpenAPI document is whole, its samples run, and whatever it allows is answered without a fault of ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from support import promised
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


DOCUMENT = promised.document()
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
RUN = {"post /v1/decide", "post /v1/track", "post /v1/batch", "post /v1/consent", "get /v1/profiles/{reference}"}
RUN |= {"post /ofrep/v1/evaluate/flags/{key}", "get /v1/status", "get /healthz", "post /v1/import"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("door"), SHOP, "wk-of-these-tests", SERVER) as door:
        yield door


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One whose catalog nobody replaces."""
    with served(tmp_path_factory.mktemp("untouched"), SHOP, "wk-of-these-tests", SERVER) as door:
        yield door


@pytest.mark.slow
def test_nothing_that_the_document_allows_is_answered_with_a_fault_of_ours(url: str):
    described = schemathesis.openapi.from_dict(httpx.get(f"{url}/openapi.json", trust_env=False).json())
    operations = [result.ok() for result in described.get_all_operations()]
    assert len(operations) > 25
    answered: Counter[int] = Counter()
    for operation in operations:

        @SOME
        @given(operation.as_strategy())
        def ask(case: schemathesis.Case):
            answer = case.call(base_url=url, headers={"x-api-key": SERVER}, timeout=120)
            answered[answer.status_code] += 1
            fault = f"{case.operation.label}: {answer.status_code}: {answer.text[:300]}"
            assert answer.status_code < 500 or answer.status_code == 503, fault

        ask()
    assert answered[200] > 10 and answered[400] + answered[404] > 20, answered


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_described_with_its_answers_their_examples_and_its_errors(
    path: str, method: str, operation: dict[str, Any]
):
    assert len(operation["summary"]) > 5 and operation["summary"].strip() == operation["summary"]
    assert operation["description"] and operation["operationId"] and operation["tags"]
    answers = operation["responses"]
    for status, answer in answers.items():
        shared = DOCUMENT["components"]["responses"].get(f"Error{status}")
        told = shared if "$ref" in answer else answer
        assert told["description"]
        for kind, content in told.get("content", {}).items():
            assert content["schema"] and "example" in content, (status, kind)
            if kind != "text/html":
                checker = jsonschema_rs.Draft202012Validator(content["schema"] | {"components": DOCUMENT["components"]})
                assert [error.message for error in checker.iter_errors(content["example"])] == []
    assert answers["200"]["content"]
    if path != "/healthz":
        assert {"400", "408", "413", "429", "500", "503"} <= answers.keys()
    if operation["security"]:
        assert {"401", "403"} <= answers.keys()
        assert [list(each) for each in operation["security"]] == [["basic"], ["bearer"], ["apiKey"]]
    for parameter in operation.get("parameters", []):
        assert parameter["in"] != "path" or parameter["example"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        checker = jsonschema_rs.Draft202012Validator(content["schema"] | {"components": DOCUMENT["components"]})
        assert [error.message for error in checker.iter_errors(content["example"])] == []


# Functions of generated clients are called so. A name may join; none goes, and none changes.
# fmt: off
PUBLISHED = {
    "a", "alias", "b", "backup_back_up", "batch", "catalog_older", "catalog_put", "catalog_standing",
    "consent_ask_before_confirming", "consent_ask_before_unsubscribing", "consent_confirm", "consent_record",
    "consent_unsubscribe", "dead_letters_discard", "dead_letters_listed", "dead_letters_retry", "decide",
    "expose", "flag", "flags", "g", "group", "healthz", "i", "identify", "import", "journeys_listed",
    "journeys_say", "messages_said", "operation_metrics", "operation_move_clock", "operation_ready",
    "operation_status", "p", "page", "pins_pin", "pins_unpin", "plans_apply", "plans_plan",
    "plans_plan_files", "plans_rollback", "profiles_consent", "profiles_erase",
    "profiles_export", "profiles_profile", "profiles_timeline", "profiles_why", "s", "sandbox_listed", "screen",
    "settings", "statistics", "t", "things_listed", "things_tell", "track", "transitions_listed",
    "reviews_decide", "reviews_listed",
    "reviews_match", "splits_rejoin", "splits_revert", "splits_split",
}
# fmt: on


def test_operations_have_names_of_their_own():
    names = [operation.values[2]["operationId"] for operation in OPERATIONS]
    assert sorted(names) == sorted(set(names))
    assert all(re.fullmatch(r"[A-Za-z_]+", name) for name in names)


def test_an_operation_keeps_the_name_that_it_was_published_by():
    assert {operation.values[2]["operationId"] for operation in OPERATIONS} == PUBLISHED


def test_what_breaks_a_promise_is_found():
    decision = DOCUMENT["components"]["schemas"]["Decision"]["examples"][0]
    asked = b'{"placement": "home_hero", "userId": "ada"}'

    def fault(answer: Any, status: int = 200, kind: str = "application/json", body: bytes = asked) -> str:
        return promised.broken("POST", "/v1/decide", body, status, kind, msgspec.json.encode(answer))

    assert fault(decision) == ""
    assert "decisionId" in fault(decision | {"decisionId": 5})
    assert "tier" in fault(decision | {"actions": [decision["actions"][0] | {"tier": "golden"}]})
    assert "is not among its answers" in fault({}, 418)
    assert "as text/plain" in fault({}, 500, "text/plain")
    assert "required property" in fault({"code": "x"}, 400, "application/problem+json")
    assert "the document forbids" in fault(decision, body=b'{"placement": "home_hero", "user": "ada"}')
    assert "the document does not have" in promised.broken("GET", "/v1/secret", b"", 200, "", b"")


def environment(url: str) -> dict[str, str]:
    return os.environ | {"SEGUE_URL": url, "SEGUE_WRITE_KEY": "wk-of-these-tests", "SEGUE_SERVER_KEY": SERVER}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_samples_are_whole(path: str, method: str, operation: dict[str, Any]):
    sources = {each["lang"]: each["source"] for each in operation["x-codeSamples"]}
    assert list(sources) == ["Shell", "JavaScript", "Python", "Go"]
    assert all("{reference}" not in source and "{key}" not in source for source in sources.values())
    compile(sources["Python"], path, "exec")
    subprocess.run(["bash", "-n"], input=sources["Shell"], text=True, check=True, timeout=30)


def test_samples_in_go_are_as_gofmt_writes_them():
    if shutil.which("gofmt") is None:
        pytest.skip("gofmt is not installed")
    for each in OPERATIONS:
        source = each.values[2]["x-codeSamples"][3]["source"] + "\n"
        done = subprocess.run(["gofmt"], input=source, text=True, capture_output=True, timeout=30, check=True)
        assert done.stdout == source


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["Shell", "JavaScript", "Python"])
def test_samples_run_as_they_stand(untouched: str, lang: str):
    url = untouched
    program = {"Shell": "bash", "JavaScript": "node", "Python": sys.executable}[lang]
    needed = "curl" if lang == "Shell" else program
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    options = ["--input-type=module"] if lang == "JavaScript" else []
    httpx.post(f"{url}/v1/track", json={"userId": "ada", "event": "Seen"}, headers={"x-api-key": SERVER})
    for each in OPERATIONS:
        path, method, operation = each.values
        if f"{method} {path}" in RUN:
            source = next(sample["source"] for sample in operation["x-codeSamples"] if sample["lang"] == lang)
            done = subprocess.run(
                [program, *options], input=source, text=True, capture_output=True, timeout=60, env=environment(url)
            )
            assert done.returncode == 0, (path, done.stderr)
            told = done.stdout.strip()
            told = told.removeprefix("200 ") if lang != "Shell" else told
            assert "code" not in json.loads(told), (path, told)
