"""Counts the effects of a shard's turns, for its metrics: plain numbers in memory, from the start of the process."""

from __future__ import annotations

from collections import Counter
from typing import Any

from actors.platform.labelled import Labelled
from actors.shard.figures.freshness import Freshness
from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.decide.receipt import Receipt, reasons_of
from engine.inputs import AnyInput, Event
from engine.vocabulary import FINAL_STATES


class Counters:
    """The counters of one shard since it was opened."""

    def __init__(self) -> None:
        self.turns: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.heard: dict[str, tuple[int, int]] = {}  # source: last arrival, age of the oldest event
        self.messages = Labelled(3)
        self.shown = Labelled(2)
        self.exposures = Labelled(1)
        self.runs = Labelled(1)
        self.freshness: Freshness | None = None  # set by a server, which knows when turns are durable
        self._variant = ""  # of the send that the next entry settles
        self._names: tuple[Catalog, list[str]] | None = None

    def turn(self, told: AnyInput, now_ms: int) -> None:
        """An input had its turn."""
        self.turns[type(told).__name__] += 1
        if isinstance(told, Event):
            _, oldest_ms = self.heard.get(told.source, (0, 0))
            self.heard[told.source] = (now_ms, max(oldest_ms, now_ms - told.at_ms))
            if self.freshness is not None:
                self.freshness.turned(told.source, told.at_ms)

    def settles(self, variant: str) -> None:
        """The next audit entry ends a send of this variant: the entry itself does not name the variant."""
        self._variant = variant

    def decided(self, answer: dict[str, Any], channel: str) -> None:
        """A decision was made. A repeated answer is not a decision."""
        for action in answer.get("actions", ()):
            self.shown.add(action["actionId"], action["variant"], channel)

    def entry(self, entry: Entry, catalog: Catalog) -> None:
        """Count an entry of an audit chain: why a send was held, a candidate refused or something not kept, and how
        journeys, sends and exposures ended."""
        if entry.kind == "send" and entry.outcome in FINAL_STATES:
            self.messages.add(entry.journey, entry.action, self._variant, entry.channel, entry.outcome)
            self._variant = ""
        elif entry.kind == "exposure":
            self.exposures.add(entry.action, entry.channel, entry.outcome)
        elif entry.kind in ("journey", "stop") and entry.journey:
            self.runs.add(entry.journey, entry.outcome)
        if entry.kind == "decision":
            kept = entry.detail.get("receipt")
            if isinstance(kept, Receipt):
                names = self._reasons(catalog)
                for number in kept.reasons:
                    self.refusals[names[number]] += 1
        elif (
            entry.outcome == "held"
            or entry.reason.startswith("limit.")
            or (entry.kind == "identity" and entry.outcome == "refused")
        ):
            self.refusals[entry.reason] += 1

    def lag(self) -> dict[str, tuple[int, int]]:
        """By source, the last arrival and the age of the oldest event since the last call, in milliseconds."""
        heard = self.heard
        self.heard = {source: (last_ms, 0) for source, (last_ms, _) in heard.items()}
        return heard

    def _reasons(self, catalog: Catalog) -> list[str]:
        if self._names is None or self._names[0] is not catalog:
            self._names = (catalog, list(reasons_of(catalog)))
        return self._names[1]
