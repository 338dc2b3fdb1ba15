"""What the proof of clashes says of the catalogs that come with Segue, read as a marketer would."""

from __future__ import annotations

import pytest
from support.pairs import findings

from actors.catalog_files import config_files
from engine.clashes.findings import Finding
from serve.playbooks import library
from serve.process import which_catalog

# A promotion and a welcome may come on one day: the welcome is of another tier, and no cap of the shop counts it.
APART = "can write to one customer within a day, and nothing keeps them apart: no cap counts both"
SHOP = [
    "browse_abandonment and abandoned_cart can meet at one customer: browse_abandonment wins, and cart_last_call is "
    "held: the cap email_weekly has no room",
    f"abandoned_cart and welcome {APART}",
    f"browse_abandonment and welcome {APART}",
]
PLAYBOOKS = {
    "post_purchase": [
        "post_purchase_care and post_purchase_offer can meet at one customer: post_purchase_care wins, and "
        "post_purchase_offer is held: the suppression just_bought holds"
    ],
    "travel_booking": [
        "trip_left and trip_price_drop can meet at one customer: trip_left wins, and trip_itinerary is held: the cap "
        "travel_email_weekly has no room"
    ],
}


def _messages(found: list[Finding]) -> list[str]:
    assert {each.kind for each in found} <= {"note"}, "a shipped catalog has nothing that its author hardly meant"
    assert all(each.witness is not None for each in found)
    return [each.message for each in found]


def test_the_shop() -> None:
    assert _messages(findings(config_files.read(which_catalog.SHIPPED).data)) == SHOP


@pytest.mark.parametrize("name", library.names())
def test_a_playbook(name: str) -> None:
    assert _messages(findings(config_files.read(library.find(name).configs).data)) == PLAYBOOKS.get(name, [])
