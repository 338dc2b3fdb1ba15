"""Fetches the messages of one shard for one channel, as many as can be sent soon."""

from __future__ import annotations

import uuid
from typing import Any

from actors.delivery.pacing import Pacer
from actors.delivery.settling import Settling
from actors.delivery.shard_link import ShardLink
from engine.errors import TryAgain


class ChannelPull:
    """Messages are fetched from `link`, a shard or the process of a pinned profile; `settling` is told their outcomes.
    A pull ends with its pacer or its link.

    Each fetch has a name. A fetch that fails is tried again under the same name: the messages that the shard gave to
    the first try reached nobody, and are given once more. So a name is unique over all pulls and shards; otherwise one
    fetch would be given messages that another one has already.
    """

    def __init__(self, link: ShardLink, channel: str, pacer: Pacer, settling: Settling) -> None:
        self.link, self.channel, self.pacer, self.settling = link, channel, pacer, settling
        self._name = uuid.uuid4().hex[:8]
        self._fetches = 0

    @property
    def is_open(self) -> bool:
        """Whether there is still a shard to fetch from and a channel to fetch for."""
        return not (self.link.is_over or self.pacer.is_closed)

    async def fetch(self, sharers: int) -> list[dict[str, Any]]:
        """Messages that are authorised and durably `handing_over`, as soon as there is room for one. The room is
        shared by `sharers` pulls. A shard that has no message waits a moment, and then gives an empty list."""
        most = await self.pacer.share_of_room(sharers)
        if not most:
            return []
        name = f"{self._name}-{self._fetches}"
        found = await self.link.pull(name, most, self.channel)
        self._fetches += 1
        self.pacer.fetched(len(found))
        return [{**message, "pull": name} for message in found]

    async def ask_again(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """A message that this pull fetched, as it may go by now; None where it may not, or its shard does not
        answer."""
        try:
            return await self.link.authorise(message["pull"], message["profile"], message["send"])
        except TryAgain:
            return None
