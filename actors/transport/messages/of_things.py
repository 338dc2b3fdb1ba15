"""Requests about facts about things. Every shard is told every fact."""

from __future__ import annotations

from actors.transport.messages.base import Answer, Request
from engine.inputs import Fact


class FactsTaken(Answer):
    """Of each fact, in the order of the request, whether the shard did not know it yet. All are durable."""

    are_new: list[bool]


class TakeFacts(Request[FactsTaken]):
    """Facts to be told to all who are interested. They were heard at `heard_ms`. Overloaded where too many wait."""

    facts: list[Fact]
    heard_ms: int
