"""Stories in words: each reason that the engine has is said in words, and data as a file would have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.clashes.words import flow, reason_in_words

_ROOT = Path(__file__).parents[3]
_OWN = ("end", "exit", "split", "erased", "propensity.<id>")  # what says enough by itself


def _reasons() -> list[str]:
    """The reasons in the first column of the tables about gates, endings and entries."""
    text = (_ROOT / "docs/reasons.md").read_text(encoding="utf-8")
    part = text[text.index("## Gates") : text.index("## Limits")]
    cells = re.findall(r"^\| ([^|]*) \|", part, re.MULTILINE)
    found = [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
    return sorted({re.sub(r"<[a-z]+>", "email", each) for each in found} - {*_OWN})


@pytest.mark.parametrize("reason", _reasons())
def test_each_reason_is_said_in_words(reason: str) -> None:
    said = reason_in_words(reason)
    assert reason not in said and "_" not in said and " " in said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("fit.no_email", "the customer has no e-mail address"),
        ("fit.no_loyalty_card", "the customer has no loyalty_card"),
        ("eligibility", "the action is not for this customer (eligible)"),
        ("status.paused", "the action is paused"),
        ("outranked.spring", "spring comes before it"),
        ("too dear", "too dear"),
    ],
)
def test_a_reason_names_what_it_is_about(reason: str, said: str) -> None:
    assert reason_in_words(reason) == said


def test_data_is_spelled_as_in_a_file() -> None:
    assert flow({"tags": None, "vip": True, "sizes": [41, 42]}) == "{tags: null, vip: true, sizes: [41, 42]}"
