"""The instructions that a journey's flat program is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.catalog.sending.compiled import NOTHING, Sending
from engine.catalog.triggers import Trigger
from engine.conditions.readable import Condition

# The channel that calls of other systems go out on: no file can name it.
WEBHOOKS: Final = "segue:webhook"

StepKind = Literal[
    "send", "wait", "wait_for", "branch", "split", "parallel", "join", "update", "webhook", "goto", "jump", "exit"
]


@dataclass(frozen=True, slots=True)
class Until:
    """A moment in the customer's zone: the first of these weekdays (0 is Monday; empty: any) at this minute of the day
    (None: its beginning) that is not before the day of the trait, moved by the offset."""

    minute: int | None
    weekdays: frozenset[int]
    trait: str  # a dotted path; empty: from today on
    offset_days: int
    on_missing: Literal["exit", "continue"]
    on_past: Literal["continue", "exit"]


@dataclass(frozen=True, slots=True)
class Update:
    """What a step writes: traits (None takes one away), and words in the list `tags`."""

    traits: Mapping[str, Any]
    add: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A call of another system. What ends with `_env` names environment variables, which the shell looks up."""

    url: str
    url_env: str
    method: str
    headers: Mapping[str, str]
    headers_env: Mapping[str, str]
    secret_env: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a journey's flat program; targets are indices into it, `len(steps)` is the end.

    send:     sending, on_held (continue | exit | wait)
    wait:     for_ms, reset_on, reset_until_ms (from its first start); or until
    wait_for: event, for_ms (the time-out), reset_on, reset_until_ms, on_event and on_timeout (targets); an inner event
              where it awaits a segment (`segment`, `is_inside`) or what became of a message (`outcomes`, `of`)
    branch:   arms ((condition, target), …) tried in order, else `target`
    split:    shares ((arm, weight, target), …)
    parallel: branches ((arm, target), …), `target` is its join
    join:     needs_all
    update:   update
    webhook:  webhook
    goto:     to (the name of a step), target, at_most
    jump:     target
    exit:     reason
    """

    id: str  # the path in the YAML, `0`, `3.1.0`, or the step's own `id`
    kind: StepKind
    sending: Sending = NOTHING
    on_held: str = "continue"
    for_ms: int = 0
    reset_on: frozenset[str] = frozenset()
    event: Trigger | None = None
    on_event: int = 0
    on_timeout: int = 0
    arms: tuple[tuple[Condition, int], ...] = ()
    target: int = 0
    reason: str = ""
    late: Literal["fire", "coalesce", "drop"] = "fire"  # where its timer could not fire in time
    late_ms: int = 0  # how late it may still fire, for `drop`
    reset_until_ms: int = 0
    until: Until | None = None
    segment: str = ""
    is_inside: bool = True
    outcomes: frozenset[str] = frozenset()
    of: str = ""  # the step whose message's outcome is awaited; empty: that of the run's last message
    shares: tuple[tuple[str, float, int], ...] = ()
    branches: tuple[tuple[str, int], ...] = ()
    needs_all: bool = True
    update: Update | None = None
    webhook: Webhook | None = None
    to: str = ""
    at_most: int = 0

    @property
    def action(self) -> str:
        """The first action that a `send` may send; empty of every other step."""
        return self.sending.actions[0] if self.sending.actions else ""

    @property
    def channel(self) -> str:
        """The first channel of a `send`, as they are written; empty of every other step."""
        return self.sending.channels[0] if self.sending.channels else ""
