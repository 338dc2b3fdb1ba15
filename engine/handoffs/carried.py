"""What comes along when a person goes to another touchpoint: counts of what the profile holds of the time before."""

from __future__ import annotations

from typing import Final

from engine.catalog.compiled import Catalog
from engine.frequency import caps
from engine.profile import Profile

_INTO_CART: Final = "Product Added"
_OUT_OF_CART: Final = "Product Removed"


def of(profile: Profile, catalog: Catalog, now_ms: int, until_ms: int) -> dict[str, int]:
    """How much there is of what happened before `until_ms`: products in the cart (added since the last purchase and not
    taken out), running journeys, words about consent, caps in use, events, traits. What there is none of is left
    out."""
    counts = {
        "cart": _in_cart(profile, catalog, until_ms),
        "journeys": sum(run.state == "active" and run.entered_ms < until_ms for run in profile.runs),
        "consent": len(profile.consent),
        "caps": len(caps.Count(profile, catalog, now_ms).refs),
        "history": sum(event.at_ms < until_ms for event in profile.history) + profile.spilled,
        "traits": len(profile.traits),
    }
    return {name: count for name, count in counts.items() if count}


def _in_cart(profile: Profile, catalog: Catalog, until_ms: int) -> int:
    """The products that were put into the cart and are still there, as the recent events say. Products that do not say
    which they are count one by one."""
    cart: dict[object, int] = {}
    for event in profile.history:
        if event.at_ms >= until_ms:
            break
        if event.name == catalog.purchases.event:
            cart.clear()
        elif event.name in (_INTO_CART, _OUT_OF_CART):
            product = str(event.properties.get(catalog.purchases.product, event.seq))
            cart[product] = 1 if event.name == _INTO_CART else 0
    return sum(cart.values())
