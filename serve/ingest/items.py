"""The one type that goes through ingest: an item of a body, with what each step has found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from actors.shard.set_aside.dead_letters import TRACKING_PLAN
from engine.inputs import Event
from serve.ingest.arrival import Arrival

# The results of items that are set aside.
REJECTED: Final = "rejected"  # the client's fault, which the answer names
NOT_ALLOWED: Final = "not_allowed"  # not for its source to send, or it states consent that cannot be understood
OFF_PLAN: Final = "off_plan"  # the tracking plan quarantines it
UNREADABLE: Final = "unreadable"  # its profile cannot be read at present; the item is kept until it can be


class Item(msgspec.Struct, gc=False):  # it is in no cycle, and a batch makes thousands
    """An item of a body. It has an `event` from parsing until it is set aside; then it has a reason instead.

    `raw` is the item as it came, `profile` the address of the profile that the event is for. `result` is empty until
    the end is known: one of the words above, or what the profile's shard answered (`accepted`, `repeated`, `failed`).
    `field`, as the wire names it, may be empty where no single one is at fault.
    """

    index: int
    raw: bytes | msgspec.Raw
    event: Event | None = None
    profile: str = ""
    result: str = ""
    field: str = ""
    message: str = ""

    def set_aside(self, result: str, field: str, message: str) -> None:
        """Take the item out of the pipeline, with the reason."""
        self.event = None
        self.result, self.field, self.message = result, field, message

    @property
    def reason(self) -> str:
        """Why it was set aside, as its dead letter says it."""
        return f"{TRACKING_PLAN}{self.field}: {self.message}" if self.result == OFF_PLAN else self.message


@dataclass(frozen=True, slots=True)
class Submission:
    """One call of the tracking API: its items, and what is known of all of them.

    `kind` is that of a single call, None for a batch. `sent_at` is when the batch says it was sent, as JSON.
    """

    items: list[Item]
    arrival: Arrival
    kind: str | None = None
    sent_at: str = ""

    @property
    def events(self) -> list[Event]:
        """The events of the items that are not set aside."""
        return [item.event for item in self.items if item.event is not None]

    @property
    def rejected(self) -> list[Item]:
        """The items that are their client's fault, in the order of the batch."""
        return self.that_are(REJECTED)

    def that_are(self, *results: str) -> list[Item]:
        """The items with one of these results, in the order of the batch."""
        return [item for item in self.items if item.result in results]
