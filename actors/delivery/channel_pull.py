"""From one shard to one channel: fetches what can be sent soon."""

from __future__ import annotations

import uuid
from typing import Any

from actors.delivery.pacing import Gate
from actors.delivery.settling import Settling
from actors.delivery.shard_link import ShardLink
from engine.errors import TryAgain


class ChannelPull:
    """`link` is the shard, or the process of a pinned profile, that messages are fetched from; `settling` is who is
    told of them. It ends with its gate or its link.

    A fetch that fails keeps its name: what the shard gave to it then surely went to nobody, and is given again. So no
    two lanes and no two shards may know a fetch by the same name, or one would give again what another one has.
    """

    def __init__(self, link: ShardLink, channel: str, gate: Gate, settling: Settling) -> None:
        self.link, self.channel, self.gate, self.settling = link, channel, gate, settling
        self._name = uuid.uuid4().hex[:8]
        self._fetches = 0

    @property
    def is_open(self) -> bool:
        """Whether there is anything to fetch from, and to."""
        return not (self.link.is_over or self.gate.is_closed)

    async def fetch(self, sharers: int) -> list[dict[str, Any]]:
        """Messages that are authorised and durably `handing_over`, as soon as there is room for one; `sharers` lanes
        fetch for this gate. Waits a moment where there are none."""
        most = await self.gate.share_of_room(sharers)
        if not most:
            return []
        name = f"{self._name}-{self._fetches}"
        found = await self.link.pull(name, most, self.channel)
        self._fetches += 1
        self.gate.fetched(len(found))
        return [{**message, "pull": name} for message in found]

    async def ask_again(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """A message of this lane as it may go now; None where it may not, or nobody says so."""
        try:
            return await self.link.authorise(message["pull"], message["profile"], message["send"])
        except TryAgain:
            return None
