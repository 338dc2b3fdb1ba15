"""What was said to a customer can be found again: the very message that was handed over, or an honest no."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import DAY, YES_TO_MAIL, Customer, World, action, cart_journey, document

from actors.shard.journal import replay
from actors.shard.journal.messages_again import NOT_LIVE
from actors.shard.queries.queries import read
from engine.errors import Moved, NotFound
from engine.inputs import Erase

TOKENS = ("opt_out", "confirm")
HELLO = {"templates/plain.html": "<p>{{ traits.name }}, {{ event.product }}{% include 'foot.html' %}</p>"}


def files(foot: str = "Bye", **policies: Any) -> dict[str, Any]:
    receipt = cart_journey(
        id="receipt",
        tier="service",
        trigger={"event": "Order Completed"},
        key="order_id",
        steps=[{"send": {"action": "receipt", "channel": "email"}}],
    )
    actions = [action("cart_reminder"), action("receipt", tier="service", purpose="service")]
    shop = document(actions=actions, journeys=[cart_journey(), receipt], **({"policies": policies} if policies else {}))
    return shop | HELLO | {"templates/foot.html": foot}


def found(world: World, who: Customer, send: str) -> dict[str, Any]:
    """What the route makes its answer of: the customer's own journal, then those of whom they have taken in."""
    told = read(world.engine.shard(who.id), "said", who.id, send)
    places = [told["found"], *(read(world.engine.shard(o), "handed_over", o, send) for o in told["origins"])]
    return next((place for place in places if place["message"] is not None), told["found"])


def check(world: World, who: Customer) -> None:
    """Every message of the mailbox that went to this person is found again as it was, less its tokens."""
    assert world.mailbox
    for sent in world.mailbox:
        message = found(world, who, sent["send"])["message"]
        assert {part: message[part] for part in sent if part not in (*TOKENS, "content", "profile", "pull")} == {
            part: sent[part] for part in sent if part not in (*TOKENS, "content", "profile", "pull")
        }
        assert message["opt_out"] == NOT_LIVE and sent["opt_out"] not in str(message)
        assert message["content"]["subject"] == sent["content"]["subject"]
        assert set(message["content"]["templates"]) == {"plain.html", "foot.html"}


def test_a_message_is_found_again_as_it_was_whatever_has_changed_since():
    world = Told(files())
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.identifies(name="Ada")
    ada.does("Product Added", cart_id="c", product="Bag")
    ada.does("Order Completed", order_id="o", product="Cap")
    world.advance(hours=2)
    ada.identifies(name="Ada L.", email="ada@elsewhere.example")
    world.advance(days=3)
    assert [sent["traits"]["name"] for sent in world.mailbox] == ["Ada", "Ada"]
    check(world, ada)
    world.takes(files("Goodbye"))
    ada.does("Order Completed", order_id="p")
    world.settle()
    assert len({sent["version"] for sent in world.mailbox}) == 2
    check(world, ada)
    old, new = (found(world, ada, sent["send"])["message"] for sent in world.mailbox[1:])
    assert (old["content"]["templates"]["foot.html"], new["content"]["templates"]["foot.html"]) == ("Bye", "Goodbye")


def test_what_was_said_to_a_visitor_is_found_through_a_merge():
    world = World(files(), shards=2)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    twin = Customer(world, "", "phone")
    twin.identifies(email="ada@elsewhere.example", name="A.")
    world.settle()
    twin.does("Order Completed", order_id="o", product="Cap")
    world.settle()
    (sent,) = world.mailbox
    both = (("email", "ada@elsewhere.example"),)  # a server names the guest's address as hers
    Customer(world, "ada@example.com", "phone").does("Page Viewed", identifiers=both)
    world.advance(minutes=5)
    assert read(world.engine.shard(ada.id), "said", ada.id, sent["send"])["origins"]
    check(world, ada)


def test_the_last_of_several_tries_is_what_was_said():
    world = World(files())
    ada = world.customer("ada@example.com")
    world.provider_says = "retry"
    ada.does("Order Completed", order_id="o", product="Cap")
    world.settle()
    ada.identifies(name="Ada")
    world.provider_says = "sent"
    world.advance(hours=1)
    (sent,) = world.mailbox
    assert sent["traits"]["name"] == "Ada"
    check(world, ada)


def test_what_was_never_handed_over_is_said_to_be_so_and_a_strange_id_is_unknown():
    world = World(files())
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    (sent,) = world.mailbox
    ada.consents("marketing", "email", False)
    ada.does("Product Added", cart_id="d")
    world.advance(hours=2)
    entries = read(world.engine.shard(ada.id), "timeline", ada.id, 100)["entries"]
    held = next(row["detail"]["send"] for row in entries if row.get("outcome") == "held")
    told = read(world.engine.shard(ada.id), "said", ada.id, held)
    assert (told["outcome"], told["found"]["message"]) == ("held", None) and told["reason"].startswith("consent")
    with pytest.raises(NotFound, match="no message of this customer"):
        read(world.engine.shard(ada.id), "said", ada.id, "nosuch")
    bob = world.customer("bob@example.com")
    with pytest.raises(NotFound, match="no message of this customer"):
        read(world.engine.shard(bob.id), "said", bob.id, sent["send"])


def test_beyond_the_journal_it_is_gone_and_that_is_said():
    world = World(files())
    ada = world.customer("ada@example.com")
    ada.does("Order Completed", order_id="o")
    world.settle()
    (sent,) = world.mailbox
    world.advance(days=2)
    ada.does("Page Viewed")
    shard = world.engine.shard(ada.id)
    replay.compact(shard.batch, ada.id, shard.catalogs, world.now_ms - DAY)
    told = read(shard, "said", ada.id, sent["send"])
    assert told["outcome"] == "sent" and told["found"]["message"] is None
    assert "journal does not hold" in told["found"]["missing"]


def test_of_an_erased_customer_nothing_is_left():
    world = World(files())
    ada = world.customer("ada@example.com")
    ada.does("Order Completed", order_id="o")
    world.settle()
    (sent,) = world.mailbox
    shard = world.engine.shard(ada.id)
    shard.tell(ada.id, Erase())
    world.settle()
    with pytest.raises((NotFound, Moved)):
        read(shard, "said", ada.id, sent["send"])
    assert read(shard, "handed_over", ada.id, sent["send"])["message"] is None
