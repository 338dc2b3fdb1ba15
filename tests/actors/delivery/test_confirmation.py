"""A mail to an unverified address can carry the link that confirms it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.letters import SHOP, says
from support.world import ID_KEY, World, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.handover import Handover
from actors.platform.meter import NoMeter
from engine import seeds
from engine.recent_events import encoder


def test_a_template_may_show_the_link_that_confirms_the_address(tmp_path: Path):
    files: dict[str, Any] = SHOP | {"templates/plain.html": "<a href='{{ confirm_address_url }}'>mine</a>"}
    world = World(files)
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    ada.does("Order Completed", order_id="o")
    world.settle()
    (message,) = world.mailbox
    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    active_catalog.put(compiled(files).document)
    handover = Handover(active_catalog, {}, "https://shop.example", NoMeter())
    html = handover._render(message | {"profile": ada.id}).html
    token = html.partition("https://shop.example/c/")[2].partition("'")[0]
    place = seeds.profile_id(ID_KEY, "email", "ada@shop.example")
    assert seeds.verify(ID_KEY, "confirm", token) == encoder.encode([ada.id, place, message["at_ms"]])
