"""Which value of a trait stays: in one profile, and when two become one."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import World, document

RULES = {
    "first_seen": {"keep": "oldest"},
    "spent": {"keep": "max"},
    "size": {"keep": "min"},
    "tags": {"keep": "union"},
    "name": {"sources": ["crm", "web"]},
}
SHOP = document(identity={"traits": RULES})


@pytest.fixture(params=["one profile", "two profiles"])
def said(request: pytest.FixtureRequest) -> Any:
    """Says one thing after the other: by one person, or by a visitor who turns out to be that person."""
    world = World(SHOP, shards=4)

    def say(trait: str, *words: Any, sources: tuple[str, ...] = ("web", "web")) -> Any:
        ada, visitor = world.customer("ada"), world.customer(anonymous="laptop")
        both = [ada, ada] if request.param == "one profile" else [ada, visitor]
        for who, word, source in zip(both, words, sources, strict=True):
            who.does("Identified", kind="identify", traits={trait: word}, source=source)
            world.advance(minutes=1)
        world.customer("ada", anonymous="laptop").does("Seen")
        world.settle()
        return ada.profile.traits[trait]

    return say


@pytest.mark.parametrize(
    ("trait", "first", "second", "stays"),
    [
        ("city", "Bonn", "Köln", "Köln"),
        ("first_seen", "2024", "2025", "2024"),
        ("spent", 200, 100, 200),
        ("spent", 100, "200.5", "200.5"),
        ("spent", 100, None, None),
        ("spent", "b", "a", "b"),
        ("spent", {"eur": 5}, 3, 3),
        ("size", 40, 38, 38),
        ("size", 38, 40, 38),
        ("tags", ["b", "a"], ["c", "a"], ["a", "b", "c"]),
        ("tags", "a", "b", ["a", "b"]),
        ("tags", "a", "a", "a"),
        ("tags", ["a"], None, None),
    ],
)
def test_a_trait_keeps_what_its_rule_says(said: Any, trait: str, first: Any, second: Any, stays: Any):
    assert said(trait, first, second).value == stays


@pytest.mark.parametrize(
    ("sources", "stays"),
    [(("crm", "web"), 0), (("web", "crm"), 1), (("shop", "web"), 1), (("web", "shop"), 0), (("crm", "crm"), 1)],
)
def test_the_order_of_sources_comes_before_the_time(said: Any, sources: tuple[str, str], stays: int):
    found = said("name", "Ada", "Ada L.", sources=sources)
    assert (found.value, found.source) == (("Ada", "Ada L.")[stays], sources[stays])


def test_a_late_word_counts_by_its_time():
    world = World(SHOP)
    ada = world.customer("ada")
    ada.does("Identified", kind="identify", traits={"first_seen": "late"})
    ada.does("Identified", kind="identify", traits={"first_seen": "early"}, at_ms=world.now_ms - 1_000)
    assert ada.profile.traits["first_seen"].value == "early"


def test_a_union_that_does_not_fit_is_refused_and_what_was_known_stays():
    world = World(SHOP)
    ada = world.customer("ada")
    many = [f"tag-{number}" for number in range(2_500)]
    ada.does("Identified", kind="identify", traits={"tags": many})
    ada.does("Identified", kind="identify", traits={"tags": [f"{tag}x" for tag in many]})
    assert ada.profile.traits["tags"].value == many
    assert [entry.reason for entry in ada.timeline if entry.outcome == "refused"] == ["limit.trait_bytes"]
