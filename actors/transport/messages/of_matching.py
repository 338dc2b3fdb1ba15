"""Requests of matching to a shard: who waits to be matched, who has a blocking key, what is compared of a profile.

Profiles travel as the 15 bytes of their ids where there are many of them.
"""

from __future__ import annotations

from actors.transport.messages.base import Acknowledged, Answer, Request


class Waits(Answer):
    """Profiles with their marks and packed records (empty where nothing is compared any more), and how many the shard
    has indexed."""

    profiles: list[tuple[str, int, bytes]]
    indexed: int


class NextToMatch(Request[Waits]):
    """Some profiles that wait to be matched, `most` at the most."""

    most: int


class InBlocks(Answer):
    """For each blocking key the profiles that have it, one more than was asked for where there are more."""

    profiles: list[list[bytes]]


class Having(Request[InBlocks]):
    """The profiles with each of these blocking keys (hashes), `most` at the most."""

    blocks: list[bytes]
    most: int


class Compared(Answer):
    """The packed record of each profile; empty where there is none."""

    records: list[bytes]


class RecordsOf(Request[Compared]):
    """What is compared of these profiles."""

    profiles: list[bytes]


class Matched(Request[Acknowledged]):
    """These profiles were matched as they were at their marks. `counts` is what that took (`pairs` compared, `likely`
    pairs), `frequent` how many blocking keys of each pass were left out because too many profiles have them."""

    profiles: list[tuple[str, int]]
    counts: dict[str, int]
    frequent: dict[str, int]
