"""A model of matching is part of the catalog: identity.yaml names its file, and a broken one is found at once."""

from __future__ import annotations

from typing import Any

from engine.catalog.compile import problems_of
from engine.matching.model import untrained, written

FILE = "models/identity.json"
NAMED = {"identity.yaml": {"matching": {"model": "identity.json"}}}
MODEL = written(untrained(1_000))


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{each.file}: {each.message}" for each in problems_of(document)]


def test_a_model_that_identity_yaml_names_is_taken():
    assert problems({**NAMED, FILE: MODEL}) == []


def test_a_model_that_is_not_there_and_one_that_nobody_names_are_found():
    assert problems(NAMED) == ["identity.yaml: there is no file models/identity.json"]
    told = "models/identity.json: identity.yaml does not name it: matching: {model: identity.json}"
    assert problems({FILE: MODEL}) == [told]


def test_a_broken_model_is_found_with_its_place():
    found = problems({**NAMED, FILE: MODEL.replace(b'"birth"', b'"brith"')})
    assert len(found) == 1 and "models/identity.json: comparisons knows no 'brith'" in found[0]
