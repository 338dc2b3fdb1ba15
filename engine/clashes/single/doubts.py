"""A doubt about one journey, and what a story must do to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.catalog.problems import Loc
from engine.catalog.triggers import Trigger

Kind = Literal[
    "unreachable",  # nobody comes to it
    "unheard",  # a stop hears first what a wait waits for
    "not_entered",  # nobody enters
    "too_late",  # a message comes when it is worthless
    "late_reminder",  # a message comes when the offer that it is about is over
    "idle_cap",  # a cap never acts
    "unsent",  # what begins a run rules a message out
    "own_cap",  # a cap holds what a run sends by itself
    "unstopped",  # a promotion goes to who has bought meanwhile
    "no_purchase",  # nothing says what a purchase is
    "no_consent",  # nobody can have said yes
    "told_consent",  # no event can say yes, only POST /v1/consent
    "again",  # the same message again and again
    "circle",  # journeys start one another
    "undecided",  # something could not be proved
]


@dataclass(frozen=True, slots=True)
class Doubt:
    """`kind` names the rule. `journey` is the one that it is about, and `step` the step that a story has to come to so
    that it can be seen; both empty where no journey shows it. `event` is what happens on the way, and `reason` the one
    that the engine gives: it begins so."""

    kind: Kind
    file: str
    loc: Loc
    message: str
    journey: str = ""
    step: str = ""
    event: Trigger | None = None
    reason: str = ""
    others: frozenset[str] = frozenset()  # all journeys that act in the story, where there are several
