"""A mail to an unverified address can carry the link that confirms it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.letters import SHOP, says
from support.world import ID_KEY, World, compiled

from actors.hands import Hands
from actors.meter import NoMeter
from actors.standing import Standing
from engine import seeds
from engine.recent import encoder


def test_a_template_may_show_the_link_that_confirms_the_address(tmp_path: Path):
    files: dict[str, Any] = SHOP | {"templates/plain.html": "<a href='{{ confirm_address_url }}'>mine</a>"}
    world = World(files)
    ada = world.customer("ada")
    says(ada, email="ada@shop.example", public=True)
    ada.does("Order Completed", order_id="o")
    world.settle()
    (message,) = world.mailbox
    standing = Standing(tmp_path / "catalog", ID_KEY)
    standing.put(compiled(files).document)
    hands = Hands(standing, {}, "https://shop.example", NoMeter())
    html = hands._render(message | {"profile": ada.id}).html
    token = html.partition("https://shop.example/c/")[2].partition("'")[0]
    place = seeds.profile_id(ID_KEY, "email", "ada@shop.example")
    assert seeds.verify(ID_KEY, "confirm", token) == encoder.encode([ada.id, place, message["at_ms"]])
