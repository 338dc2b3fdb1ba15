"""The `send` step: one action or several, one channel or several, and when the next channel is tried.

send: {action: cart_reminder, channel: email}
send: {action: cart_reminder, channels: [email, push], choose: {by: last_engaged}}
send:
  choose: {actions: [a, b]}
  channels: [email, push, sms]
  fallback: {on: [no_address, no_consent, refused, bounced, down: 30m, silent: 4h]}
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from engine.catalog.schema.grammar import ActionRef, ChannelRef, Model, Some, Span
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

Rule = Literal["order", "last_engaged", "cheapest"]
# Why the next channel is tried, without a time: a gate says no, or the message did not arrive.
Word = Literal["no_address", "no_consent", "held", "refused", "bounced"]

_AWAITED_MS_MAX: Final = 30 * DAY_MS
_TIMED: Final = ("down", "silent", "bounced")


def _not_too_long(duration_ms: int) -> int:
    if duration_ms > _AWAITED_MS_MAX:
        raise ValueError("an outcome is awaited for at most 30d")
    return duration_ms


def _each_once(names: list[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is there already")
    return names


_Awaited = Annotated[Span, AfterValidator(_not_too_long)]
_Actions = Annotated[list[ActionRef], Some, AfterValidator(_each_once)]
_Channels = Annotated[list[ChannelRef], Some, AfterValidator(_each_once)]


class Timed(Model):
    """`down`: not handed over so long after it was decided; `silent`: so long after it left no human open, click or
    visit; `bounced`: it bounced within so long."""

    down: _Awaited | None = None
    silent: _Awaited | None = None
    bounced: _Awaited | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Timed:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"is exactly one of {', '.join(_TIMED)} with its time, as in silent: 4h")
        return self

    @property
    def word(self) -> str:
        """The one that is written."""
        return next(iter(self.model_fields_set))


def _kind_of_reason(value: Any) -> str:
    return "<timed>" if isinstance(value, dict | Timed) else "<word>"


Reason = Annotated[
    Annotated[Word, Tag("<word>")] | Annotated[Timed, Tag("<timed>")],
    Discriminator(_kind_of_reason),
]


def _reasons(found: list[Any]) -> list[Any]:
    _each_once([each if isinstance(each, str) else each.word for each in found])
    return found


class Fallback(Model):
    """The next channel is tried `on` these reasons, and on no other."""

    on: Annotated[list[Reason], Some, AfterValidator(_reasons)]


class Choose(Model):
    """Of `actions`, or of `channels`, the decision picks the one that ranks best. `by` is a rule for the channels
    that stand beside: the order in which they stand, the one on which this customer reacted last, the cheapest."""

    actions: _Actions | None = None
    channels: _Channels | None = None
    by: Rule | None = None

    @model_validator(mode="after")
    def _chooses_something(self) -> Choose:
        if not self.model_fields_set:
            raise ValueError("chooses nothing: it has actions, channels or by")
        if self.by is not None and self.channels is not None:
            raise ValueError("by is a rule for channels beside choose; of those in choose the decision picks")
        return self


class Send(Model):
    """`on_held`: what becomes of the run when no message may go. `deadline`: so long after the run came here the
    message is worthless."""

    action: ActionRef | None = None
    channel: ChannelRef | None = None
    channels: _Channels | None = None
    choose: Choose | None = None
    fallback: Fallback | None = None
    deadline: Span | None = None
    on_held: Literal["continue", "exit", "wait"] = "continue"

    @model_validator(mode="after")
    def _says_what_and_where(self) -> Send:
        choose = self.choose or Choose.model_construct()
        if (self.action is None) == (choose.actions is None):
            raise ValueError("has either action or choose: {actions: […]}")
        if sum(each is not None for each in (self.channel, self.channels, choose.channels)) != 1:
            raise ValueError("has exactly one of channel, channels and choose: {channels: […]}")
        if self.channel is not None and choose.by is not None:
            raise ValueError("choose: {by: …} chooses among channels: […], and there is one channel only")
        if self.fallback is not None and len(self.ladder) < 2:
            raise ValueError("fallback needs a second channel to fall back to, as in channels: [email, push]")
        return self

    @property
    def candidates(self) -> list[str]:
        """The actions of which one is sent."""
        return [self.action] if self.action is not None else (self.choose and self.choose.actions) or []

    @property
    def ladder(self) -> list[str]:
        """The channels on which it may be sent, as they are written."""
        if self.channel is not None:
            return [self.channel]
        return self.channels or (self.choose and self.choose.channels) or []

    @property
    def rule(self) -> str:
        """How the next channel is found: a `Rule`, or `score` where the decision picks."""
        if self.choose is None:
            return "order"
        return "score" if self.choose.channels is not None else self.choose.by or "order"


def _an_hour(duration_ms: int) -> int:
    if duration_ms > HOUR_MS:
        raise ValueError("a pace is so many in at most 1h: for a longer time, write a budget")
    return duration_ms


class Pace(Model):
    """Over all customers together, at most `limit` messages in any `per`."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Annotated[Span, AfterValidator(_an_hour)] = MINUTE_MS


class Guards(Model):
    """What bounds all messages of a journey. `touches`: how many messages one run sends at most; `deadline`: so long
    after the run was entered a message is worthless; `pace`: how many messages leave in a time, all customers
    together."""

    touches: Annotated[int, Field(ge=1, le=1_000)] | None = None
    deadline: Span | None = None
    pace: Pace | None = None
