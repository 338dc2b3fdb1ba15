"""The state of one turn: the profile that it may change, the catalog, the clock, and the effects so far."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engine import audit, seeds
from engine.catalog.compiled import Catalog
from engine.effects import Answer, DropTimer, Effect, Note, SetTimer, Tell
from engine.inputs import AnyInput
from engine.profile import Profile, Run
from engine.recent_events import Happened
from engine.view import View


class Turn:
    """The one thing that rules write to. The shell acts only after a turn, so undoing the profile undoes a failed
    turn."""

    __slots__ = ("catalog", "effects", "inner", "is_public", "makes_room", "now_ms", "profile", "tokens")

    def __init__(
        self, profile: Profile, catalog: Catalog, now_ms: int, tokens: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.profile = profile
        self.catalog = catalog
        self.now_ms = now_ms
        self.effects: list[Effect] = []
        self.tokens = dict(tokens)
        self.inner: list[Happened] = []  # what this turn has brought about that journeys hear of before it ends
        self.is_public = False  # its event came under a write key
        self.makes_room = False  # a held message may go now: a place was given back, a step wrote what is known

    def view(self, context: dict[str, Any] | None = None, trigger: Mapping[str, Any] = MappingProxyType({})) -> View:
        """A view of the profile as of now; for a run, with the properties of its trigger. Take a new one after the
        profile has changed."""
        return View(self.profile, self.catalog, self.now_ms, context or {}, trigger)

    def id_of(self, *parts: str | int) -> str:
        """The id that stands for `parts` in this workspace."""
        return seeds.keyed(self.catalog.id_key, *parts)

    def note(self, kind: str, summary: str, **fields: Any) -> None:
        """Add an entry to the profile's timeline and audit chain."""
        entry = audit.Entry(at_ms=self.now_ms, kind=kind, summary=summary, version=self.catalog.version, **fields)
        profile, sealed = self.profile, b""
        if self.catalog.is_chained:
            profile.audit_head, sealed = audit.link(profile.audit_head, entry)
        profile.audit_seq += 1
        self.effects.append(Note(profile.audit_seq, entry, sealed))

    def remember(self, event: Happened) -> None:
        """Put an event into the recent history, where (event time, arrival) says."""
        self.profile.history.add(event)

    def set_timer(self, run: Run, due_ms: int, step: str, cause: str) -> None:
        """Park a run until `due_ms` under a new generation; a timer that it had is dropped for the same cause."""
        if run.due_ms:
            self.drop_timer(run, step, cause)
        run.generation += 1
        run.due_ms = due_ms
        self.effects.append(SetTimer(due_ms, run.id, run.generation, run.journey, step, cause))

    def drop_timer(self, run: Run, step: str, cause: str) -> None:
        """A run's timer is no longer pending."""
        if run.due_ms:
            self.effects.append(DropTimer(run.due_ms, run.id, run.generation, run.journey, step, cause))
            run.due_ms = 0

    def drop_timer_of_moved(self, run: Run) -> None:
        """A run moves to another shard with its due time in its state; only the timer here goes."""
        if run.due_ms:
            self.effects.append(DropTimer(run.due_ms, run.id, run.generation, run.journey, "", "moved"))

    def tell(self, to: str, message: AnyInput) -> None:
        """Send a durable message to another profile."""
        self.profile.message_seq += 1
        self.effects.append(Tell(to, self.profile.message_seq, message))

    def answer(self, value: dict[str, Any]) -> None:
        """Answer the caller once this turn is durable."""
        self.effects.append(Answer(value))
