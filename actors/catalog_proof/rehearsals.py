"""Rehearses stories: an engine of one shard, in memory and on a replay clock, runs a catalog over the story of one
customer, and what it recorded comes back.

Turns, windows and all rules are those of the running engine. Nobody in a story is in a holdout, and only the named
journeys act, so that a story shows one thing at a time. A provider accepts every message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from actors.replay_clock.in_process import LocalEngine
from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.clashes.stories import TURNS_MAX, Consents, Does, Happening, Known, Learned, Reacts, Story, Told
from engine.effects import Effect, Note
from engine.inputs import ConsentChange, Event, Fact
from engine.sends.outcomes import OF_EVENTS

_SOURCE = "story"
_ADDRESSES = {"email": "customer@shop.example", "phone": "+4915112345678"}


def rehearse(catalog: Catalog, story: Story, journeys: Collection[str]) -> Told:
    """What the engine records of a story, with only these journeys of the catalog."""
    return rehearsed(with_only(catalog, journeys), story)


def rehearsed(catalog: Catalog, story: Story) -> Told:
    """What the engine records of a story with all that is in the catalog."""
    return asyncio.run(_Rehearsal(catalog, story).told())


def with_only(catalog: Catalog, journeys: Collection[str]) -> Catalog:
    """A catalog in which only these journeys act, drafts among them, and nobody is held out."""
    acting = {name: replace(each, status="live") for name, each in catalog.journeys.items() if name in journeys}
    entered = {
        event: tuple(acting[each.id] for each in group if each.id in acting)
        for event, group in catalog.entered_by.items()
    }
    return replace(
        catalog,
        journeys=acting,
        entered_by={event: group for event, group in entered.items() if group},
        measured_by={},
        holdouts=(),
        archive={},
    )


class _BreaksOff(BaseException):
    """A story has taken all the turns that it may. It is a BaseException so that no part of the engine catches it."""


class _Rehearsal:
    """One story, told to an engine of its own."""

    def __init__(self, catalog: Catalog, story: Story) -> None:
        self._catalog, self._story = catalog, story
        self._entries: list[Entry] = []
        self._turns = 0
        self._last_send = ""  # the last message that has left
        self._engine = LocalEngine(catalog, observer=self._observe, provider=self._take)
        self._names = (("user_id", story.customer),)

    async def told(self) -> Told:
        """Tell the story to its end, or for as many turns as it may take."""
        with suppress(_BreaksOff):
            await self._tell_all()
        return Told(tuple(self._entries), self._turns)

    async def _tell_all(self) -> None:
        begins_ms = self._story.begins_ms
        await self._engine.advance(begins_ms)
        for number, happening in enumerate(self._story.happenings):
            await self._engine.advance(begins_ms + happening.at_ms)
            self._tell(happening, begins_ms + happening.at_ms, str(number))
        await self._engine.advance(begins_ms + self._story.until_ms)

    def _tell(self, happening: Happening, at_ms: int, number: str) -> None:
        match happening:
            case Known():
                self._engine.stage([self._known(happening, at_ms, number)])
            case Does():
                self._engine.stage([self._event(at_ms, number, name=happening.event, properties=happening.properties)])
            case Reacts() if self._last_send:
                name = next(event for event, word in OF_EVENTS.items() if word == happening.outcome)
                self._engine.stage([self._event(at_ms, number, name=name, properties={"send_id": self._last_send})])
            case Consents():
                self._engine.ask(
                    ConsentChange(
                        purpose=happening.purpose,
                        channel=happening.channel,
                        granted=happening.granted,
                        at_ms=at_ms,
                        source=_SOURCE,
                        identifiers=self._names,
                    )
                )
            case Learned():
                self._engine.take(
                    Fact(
                        kind=happening.kind,
                        id=happening.thing,
                        event=happening.event,
                        fact=f"{int(number):032x}",
                        at_ms=at_ms,
                        properties=happening.properties,
                    )
                )

    def _known(self, known: Known, at_ms: int, number: str) -> Event:
        found = {each: _ADDRESSES.get(each, f"{each}-of-customer") for each in known.addresses}
        stated = {each: value for each, value in found.items() if each in _ADDRESSES}
        return self._event(
            at_ms,
            number,
            kind="identify",
            name="Identified",
            traits=known.traits | stated,
            identifiers=(*found.items(),),
        )

    def _event(self, at_ms: int, number: str, **fields: Any) -> Event:
        base: dict[str, Any] = {
            "kind": "track",
            "at_ms": at_ms,
            "received_at_ms": at_ms,
            "source": _SOURCE,
            "message_id": number,
            "user_id": self._story.customer,
            "context": {"timezone": self._catalog.zone},
        }
        return Event(**(base | fields))

    def _take(self, message: dict[str, Any]) -> Any:
        self._last_send = message["send"]
        channel = self._catalog.channels.get(message["channel"])
        return "simulated" if channel is not None and channel.provider == "sandbox" else "sent"

    def _observe(self, profile: str, now_ms: int, effects: list[Effect]) -> None:
        for each in effects:
            if isinstance(each, Note):
                entry = each.entry
                self._entries.append(msgspec.structs.replace(entry, at_ms=entry.at_ms - self._story.begins_ms))
        self._turns += 1
        if self._turns >= TURNS_MAX:
            raise _BreaksOff
