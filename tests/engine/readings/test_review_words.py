"""The review queue as people read it: each open question once."""

from __future__ import annotations

from typing import Any

from engine.parts.of_identity import ReviewEntry
from engine.readings import review_words


def row(profile: str, other: str, state: str = "open", kind: str = "candidate") -> dict[str, Any]:
    return review_words.plain(ReviewEntry(f"{profile}-{other}", 0, kind, "", profile, other=other, state=state))


def test_a_pair_that_was_asked_about_under_two_ids_is_listed_once():
    homes = {"ada": "ada", "card": "card", "till": "card"}  # the till has merged into the card
    rows = [row("ada", "card"), row("ada", "till"), row("card", "ada"), row("ada", "till", "dismissed")]
    rows.append(row("card", "ada", kind="merge"))
    now = [found for each in rows if (found := review_words.as_of_now(each, homes))]
    assert [each["id"] for each in review_words.once(now)] == ["ada-card", "ada-till", "card-ada"]


def test_nobody_is_asked_about_an_erased_person():
    assert review_words.as_of_now(row("ada", "till"), {"till": ""}) is None
