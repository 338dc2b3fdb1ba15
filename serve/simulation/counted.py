"""The counts of a simulated history, from the effects of its turns. Those of neighbourhoods add up exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actors.shard.shard import Observer
from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.effects import DropTimer, Effect, Note, SetTimer
from engine.inputs import AnyInput, Event
from engine.profile import Profile
from engine.vocabulary import ARRIVED
from serve.simulation.funnels import Funnel, Funnels
from serve.simulation.letters import Letters
from serve.simulation.lines import Lines

_TIMERS: Final = ("set", "reset", "fired", "cancelled")
# The word for a send's outcome in a line. `decided` is its decision; a sandbox neither refuses nor fails.
_SEND_KINDS: Final = {
    "decided": "decision",
    "sent": "send",
    "simulated": "send",
    "held": "held",
    "withdrawn": "withdrawn",
    "expired": "expired",
    "silent": "silent",
    "unavoidable": "unavoidable",
}
_COUNTED_ALONE: Final = ("withdrawn", "expired", "silent", "unavoidable")
# A run that ends by itself is completed, whether it came to its last step or to an exit before.
_JOURNEY_WORDS: Final = {"entered": "entered", "completed": "completed", "exited": "completed"}


@dataclass(slots=True)
class Silence:
    """The sends that one rule held back."""

    held: int = 0
    only: int = 0
    worth_minor: float = 0.0
    customers: set[str] = field(default_factory=set)

    def add(self, profile: str, entry: Entry) -> None:
        """Count one send that was held back."""
        self.held += 1
        self.only += not entry.detail.get("also")
        self.worth_minor += entry.detail.get("worth", 0.0)
        self.customers.add(profile)

    def join(self, other: Silence) -> None:
        """Add the counts of other customers."""
        self.held += other.held
        self.only += other.only
        self.worth_minor += other.worth_minor
        self.customers |= other.customers

    def told(self) -> dict[str, Any]:
        """These counts as the report has them."""
        return {
            "held": self.held,
            "onlyReason": self.only,
            "customers": len(self.customers),
            "costMinor": round(self.worth_minor),
        }


@dataclass(slots=True)
class Counted:
    """What happened. `sends_of` is by profile, before any later merge."""

    events: int = 0
    profiles: int = 0
    sends: Counter[str] = field(default_factory=Counter)
    sends_of: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    silence: defaultdict[str, Silence] = field(default_factory=lambda: defaultdict(Silence))
    ends: Counter[str] = field(default_factory=Counter)  # of messages, by word
    stops: int = 0
    timers: Counter[str] = field(default_factory=Counter)
    funnels: dict[str, Funnel] = field(default_factory=dict)

    def join(self, other: Counted) -> None:
        """Add the counts of another neighbourhood."""
        self.events += other.events
        self.profiles += other.profiles
        self.sends += other.sends
        self.sends_of += other.sends_of
        self.held += other.held
        self.ends += other.ends
        self.stops += other.stops
        self.timers += other.timers
        for reason, silence in other.silence.items():
            self.silence[reason].join(silence)
        for journey, funnel in other.funnels.items():
            self.funnels.setdefault(journey, Funnel()).join(funnel)

    def summary(self, catalog: Catalog) -> dict[str, Any]:
        """The counts in the contract's shape."""
        journeys = [*catalog.journeys, *(name for name in sorted(self.funnels) if name not in catalog.journeys)]
        funnels = {name: self.funnels.get(name, Funnel()) for name in journeys}
        return {
            "events": self.events,
            "profiles": self.profiles,
            "sends": dict(sorted(self.sends.items())),
            "held": dict(sorted(self.held.items())),
            **{word: self.ends[word] for word in _COUNTED_ALONE},
            "stops": self.stops,
            "timers": {cause: self.timers[cause] for cause in _TIMERS},
            "journeys": {name: funnel.ends() for name, funnel in funnels.items()},
            "funnels": {name: funnel.told(catalog.journeys.get(name)) for name, funnel in funnels.items()},
        }

    def silent(self) -> dict[str, dict[str, Any]]:
        """The sends that were held back, by rule: how many, how many of them no other rule would have held back, of how
        many customers, and the value that they were expected to bring (minor units)."""
        return {reason: found.told() for reason, found in sorted(self.silence.items())}


class Counting:
    """Counts the turns of one engine, from `since_ms` on. `lines` is told what happened, `letters` has what was
    written."""

    def __init__(
        self, catalog: Catalog, lines: Lines | None = None, letters: Letters | None = None, since_ms: int = 0
    ) -> None:
        self.counted, self._since_ms = Counted(), since_ms
        self._funnels = Funnels(catalog, self.counted.funnels)
        self._lines, self._letters = lines, letters

    @property
    def observer(self) -> Observer:
        """What a shard tells the effects of each turn."""
        return self._observe

    def heard(self, profile: Profile, told: AnyInput) -> None:
        """An input has had its turn."""
        if isinstance(told, Event) and profile.clock_ms >= self._since_ms:
            self.counted.events += 1
            self._funnels.heard(profile, told)

    def _observe(self, profile: str, now_ms: int, effects: list[Effect]) -> None:
        if now_ms < self._since_ms:
            self._pass_over(profile, effects)
            return
        for effect in effects:
            if isinstance(effect, Note):
                self._note(profile, now_ms, effect.entry)
            elif isinstance(effect, SetTimer | DropTimer):
                self._timer(profile, now_ms, effect)

    def _pass_over(self, profile: str, effects: list[Effect]) -> None:
        """Let go of the letters of a time that does not count."""
        for effect in effects:
            if self._letters is None:
                return
            if isinstance(effect, Note) and effect.entry.kind == "send" and effect.entry.outcome in ARRIVED:
                self._letters.next(profile, effect.entry.action, effect.entry.channel)

    def _note(self, profile: str, now_ms: int, entry: Entry) -> None:
        if entry.kind == "send" and entry.outcome in _SEND_KINDS:
            self._send(profile, entry)
            self._line(profile, now_ms, _SEND_KINDS[entry.outcome], entry)
        elif entry.kind == "stop" and entry.outcome == "stopped":
            self.counted.stops += 1
            self._funnels.stopped(entry)
            self._line(profile, now_ms, "stop", entry)
        elif entry.kind == "decision":
            self._line(profile, now_ms, "decision", entry)
        elif entry.kind == "journey" and entry.outcome in _JOURNEY_WORDS:
            self._funnels.journey(entry, _JOURNEY_WORDS[entry.outcome])

    def _send(self, profile: str, entry: Entry) -> None:
        counted = self.counted
        self._funnels.send(entry, has_arrived=entry.outcome in ARRIVED)
        if entry.outcome in ARRIVED:
            counted.sends[entry.channel] += 1
            counted.sends_of[profile] += 1
        elif entry.outcome == "held":
            counted.held[entry.reason] += 1
            counted.silence[entry.reason].add(profile, entry)
        elif entry.outcome in _COUNTED_ALONE:
            counted.ends[entry.outcome] += 1

    def _timer(self, profile: str, now_ms: int, effect: SetTimer | DropTimer) -> None:
        """Count a timer. A reset is a drop and a set, and counts once. A timer that moves with its profile does not
        count."""
        if effect.cause in _TIMERS and not (isinstance(effect, DropTimer) and effect.cause == "reset"):
            self.counted.timers[effect.cause] += 1
            if isinstance(effect, SetTimer):
                self._funnels.reached(effect.journey, effect.run, effect.step)
            if self._lines is not None:
                words = {"kind": "timer", "journey": effect.journey, "step": effect.step, "reason": effect.cause}
                self._lines.add(now_ms, profile, words)

    def _line(self, profile: str, now_ms: int, kind: str, entry: Entry) -> None:
        if self._lines is None:
            return
        words: Mapping[str, str] = {
            "kind": kind,
            "journey": entry.journey,
            "step": entry.step,
            "action": entry.action,
            "channel": entry.channel,
            "reason": entry.reason,
        }
        if kind == "send" and self._letters is not None:
            words = {**words, **self._letters.next(profile, entry.action, entry.channel)}
        self._lines.add(now_ms, profile, words)
