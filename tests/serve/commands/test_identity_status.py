"""`segue identity status` says in words what `/v1/status` says in figures."""

from __future__ import annotations

from typing import Any

from engine.readings import identity_figures
from serve.commands.identity.status import rows

AGES = identity_figures.freshness((0.1, 1.0), [9, 0, 1])


def told(people: dict[str, int] | None, so_far: dict[str, int], *, is_matching: bool = True) -> dict[str, str]:
    found: dict[str, Any] = identity_figures.told(people, so_far, is_matching=is_matching)
    return dict(rows(found | {"freshness": {"pos": AGES}}))


def test_figures_are_told_in_words():
    people = {"known": 90, "anonymous": 10, "identifiers/1": 40, "identifiers/10": 60, "likely": 10, "shared": 2}
    reviews = {"review/candidate/open": 10, "review/candidate/accepted": 3, "review/candidate/dismissed": 1}
    found = told(people | reviews, {"known": 1_900, "anonymous": 100, "merges": 12, "splits": 1})
    assert found["profiles"] == "90 known, 10 anonymous: 90.0% known"
    assert found["events"] == "1,900 known, 100 anonymous: 95.0% known"
    assert found["identifiers"] == "40 with 1, 60 with up to 10"
    assert found["merges"] == "12 made, 1 undone"
    assert found["duplicates"] == "7.5%, between 3.0% and 9.5% (95 %, of 4 decisions)"
    assert found["review: candidate"] == "10 open, 3 accepted, 1 dismissed"
    assert found["freshness: pos"] == "10 events, p50 at most 0.1 s, p99 above a week"


def test_what_is_not_known_is_told_so():
    assert told({}, {}, is_matching=False)["duplicates"].startswith("not known: ")
    assert told({"known": 9, "likely": 6}, {})["duplicates"] == (
        "not known, between 0.0% and 33.3%: nobody has decided about a candidate"
    )
    counting = told(None, {"known": 3})
    assert (counting["profiles"], counting["shared values"]) == ("being counted", "being counted")
    assert counting["duplicates"] == "being counted"
    assert counting["events"] == "3 known, 0 anonymous: 100.0% known"
