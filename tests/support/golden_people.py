"""The story of the second golden history: who is who, and journeys that begin with more than an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.inputs import Join, Rejoin, Split, Suspect
from support.matching import ADA, BYRON, FAINT
from support.things import drop_journey, fact
from support.world import DAY, YES_TO_MAIL, Customer, World, action, cart_journey, document

CARD, MAIL = ("loyalty_id", "4711"), ("email", "ada@shop.example")
_WAITS = [{"wait": {"for": "20d"}}, {"send": {"action": "letter", "channel": "email"}}]


def _way(name: str, trigger: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "tier": "promotional", "trigger": trigger, "steps": _WAITS}


CATALOG: dict[str, Any] = document(
    actions=[action("letter"), action("cart_reminder"), action("drop_mail")],
    journeys=[
        cart_journey(),
        drop_journey(steps=_WAITS),
        _way("comes", {"segment": {"id": "gold"}}),
        _way("goes", {"segment": {"id": "gold", "on": "exit"}}),
        _way("daily", {"schedule": {"cron": "0 9 * * *"}}),
        _way("once", {"schedule": {"once": "2026-03-03T10:00"}}),
        _way("renewal", {"date": {"trait": "renewal"}}),
    ],
    segments={"segments": {"gold": {"trait": {"name": "tier", "is": "gold"}}}},
    identity={
        "matching": {"enabled": True, "personalise": {"at": 0.99, "traits": ["favourite"]}},
        "splits": {"unidentified": "both"},
    },
)


def tell(world: World, do: Callable[..., Any]) -> None:
    """Tell it. `do` takes the steps that no client can take. It ends in the middle of everything."""
    ada, till = _a_till_becomes_ada(world)
    _somebody_else_says_so(world)
    _two_again(world, ada, till)
    _what_is_asked(world, ada)
    _all_ways(world, ada)
    _in_the_middle(world)


def _a_till_becomes_ada(world: World) -> tuple[Customer, str]:
    """A till knows a card, and a server says whose it is."""
    till = Customer(world, "", "")
    till.does(
        "Order Completed", identifiers=(CARD,), order_id="o1", context={"locale": "de", "timezone": "Europe/Vienna"}
    )
    world.settle()
    place = world.engine.resolve(_home(world, till.event("?", identifiers=(CARD,))))
    ada = Customer(world, "ada", "laptop")
    ada.does("Identified", kind="identify", traits=ADA | {"email": MAIL[1]}, identifiers=(MAIL,), public=True)
    ada.does("Identified", kind="identify", traits={"email": MAIL[1], "tier": "gold"}, identifiers=(MAIL, CARD))
    for purpose in YES_TO_MAIL:
        ada.consents(*purpose.split(":"), True)
    world.settle()
    return ada, place


def _home(world: World, event: Any) -> str:
    from engine.identity.home import home_of

    found = home_of(world.catalog, event)
    assert found is not None
    return found


def _somebody_else_says_so(world: World) -> None:
    """Two user ids with one card are refused, and a tablet is shared."""
    Customer(world, "bob", "tablet").does("Seen", identifiers=(CARD,))
    Customer(world, "carl", "tablet").does("Seen", public=True)
    Customer(world, "ada", "laptop").does("Seen", context={"locale": "en", "timezone": "Europe/London"})
    for _ in range(40):
        Customer(world, "", "laptop").does("Page Seen")
    world.settle()


def _two_again(world: World, ada: Customer, till: str) -> None:
    """The till's past is split off, joined again; another merge stands."""
    merge = next(past for past in ada.profile.ledger if past.origin == till)
    world.engine.ask_profile(ada.id, Split(merge_id=merge.id))
    world.settle()
    world.engine.ask_profile(ada.id, Rejoin(merge_id=merge.id))
    world.settle()
    guest = Customer(world, "", "phone-1")
    guest.does("Seen")
    world.engine.ask_profile(ada.id, Join(other=guest.id, source="operator", review="r", force=True))
    world.settle()
    last = ada.profile.ledger[-1]
    world.engine.ask_profile(ada.id, Split(merge_id=last.id))
    world.settle()


def _what_is_asked(world: World, ada: Customer) -> None:
    faint, byron = Customer(world, "", "faint"), Customer(world, "byron", "")
    faint.identifies(**FAINT)
    byron.identifies(**BYRON)
    why = (("surname", "exact", 5.5),)
    world.engine.ask_profile(ada.id, Suspect(other=faint.id, confidence=0.9, why=why))
    world.engine.ask_profile(ada.id, Suspect(other=byron.id, confidence=0.995, why=why))
    world.settle()


def _all_ways(world: World, ada: Customer) -> None:
    """Somebody begins a run of each journey, and stands in it."""
    ada.does("Product Viewed", product_id="sku-1")
    ada.does("Product Added", cart_id="c1")
    ada.identifies(renewal="2026-03-04", tier="gold")
    world.engine.take(fact("sku-1", name="f-1", at_ms=world.now_ms))
    world.settle()
    world.advance(days=1.5)
    ada.identifies(tier="none")
    world.advance(days=0.9)
    ada.does("Product Added", cart_id="c2")


def _in_the_middle(world: World) -> None:
    """A merge has just begun, and a fact waits for its time."""
    world.engine.take(fact("sku-1", name="f-2", at_ms=world.now_ms + DAY))
    Customer(world, "dora", "d-1").does("Seen", identifiers=(("loyalty_id", "d"),))
