"""A world that runs a playbook as it is shipped, with customers who can be reached on every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.catalog_files import config_files
from engine import seeds
from engine.inputs import Fact
from serve.playbooks import library
from support.world import ID_KEY, Customer, World, compiled


def document_of(name: str, holdout: float = 0.0) -> dict[str, Any]:
    """The catalog of a playbook, with another share in its holdouts."""
    read = config_files.read(library.find(name).configs)
    assert read.problems == []
    for rule in read.data["policies.yaml"].get("holdouts", []):
        rule["share"] = holdout
    return read.data


class PlaybookWorld(World):
    """The world of one playbook."""

    def __init__(self, name: str, *, holdout: float = 0.0, shards: int = 1) -> None:
        super().__init__(compiled(document_of(name, holdout)), shards=shards)
        self.refused: set[str] = set()  # channels whose provider refuses everything

    def somebody(
        self, name: str = "ada", channels: Sequence[str] = ("email", "push", "sms"), purpose: str = "marketing"
    ) -> Customer:
        """A customer with an address and a yes for each of these channels."""
        who = self.customer(name)
        known = {"email": f"{name}@shop.example", "phone": "+4915112345678", "device_id": f"device-of-{name}"}
        of_channels = {"email": "email", "sms": "phone", "push": "device_id"}
        pairs = tuple((of_channels[each], known[of_channels[each]]) for each in channels if each in of_channels)
        who.tell(who.event("Signed Up", identifiers=pairs, channel="app"))
        for channel in channels:
            who.consents(purpose, channel, True)
        return who

    def told(self, who: Customer, outcome: str, **more: Any) -> None:
        """The provider tells what became of the last message."""
        who.tell(who.event(outcome, send_id=self.mailbox[-1]["send"], channel="server", **more))
        self.settle()

    def fact(self, kind: str, thing: str, event: str, **properties: Any) -> None:
        """A fact about a thing, now; whoever is interested hears of it."""
        named = seeds.keyed(ID_KEY, "fact", self.message_id())
        self.engine.take(Fact(kind=kind, id=thing, event=event, fact=named, at_ms=self.now_ms, properties=properties))
        self.settle()

    @property
    def reached(self) -> list[tuple[str, str]]:
        """(channel, action) of every message that has left, in order."""
        return [(message["channel"], message["action"]["id"]) for message in self.mailbox]

    def _take(self, message: dict[str, Any]) -> str:
        return "refused" if message["channel"] in self.refused else super()._take(message)
