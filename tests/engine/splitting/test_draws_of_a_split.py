"""What was drawn for one of two profiles, and seen by both while they were one, stays with both."""

from __future__ import annotations

from support.world import World, action, compiled, document

from engine.inputs import Split
from engine.profile import Profile

VARIANTS = [{"id": name, "web": {"content": {"title": name}}} for name in ("a", "b")]
CATALOG = compiled(
    document(
        actions=[
            action("banner", purpose="service", channels=["web"], placements=["home_hero"]) | {"variants": VARIANTS}
        ]
    )
)


def profile_at(world: World, place: str) -> Profile:
    found = world.engine.shard(place).record(world.engine.resolve(place))
    assert isinstance(found, Profile)
    return found


def joined(world: World) -> tuple[str, str]:
    """Ada, and the visitor who has seen a variant before becoming her; both in one now."""
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    visitor.does("Page Viewed")
    visitor_id = visitor.id
    visitor.decides()
    ada.does("Page Viewed")
    world.settle()
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert ada.id == visitor.id != visitor_id
    return ada.id, visitor_id


def test_a_variant_that_both_have_seen_stays_with_both():
    world = World(CATALOG)
    ada, visitor = joined(world)
    (was,) = profile_at(world, ada).drawn.values()
    world.customer("ada").decides()
    world.engine.ask_profile(ada, Split(merge_id=profile_at(world, ada).ledger[-1].id))
    world.settle()
    for each in (ada, visitor):
        (drawn,) = profile_at(world, each).drawn.values()
        assert (drawn.outcome, drawn.at_ms) == (was.outcome, was.at_ms)


def test_one_that_counted_before_the_merge_alone_goes_back():
    world = World(CATALOG)
    ada, visitor = joined(world)
    world.engine.ask_profile(ada, Split(merge_id=profile_at(world, ada).ledger[-1].id))
    world.settle()
    assert profile_at(world, ada).drawn == {} and len(profile_at(world, visitor).drawn) == 1
