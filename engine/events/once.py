"""Repeats: which two inputs are the same, and for how long the first is remembered (Invariant 3).

Two exposures are the same where they tell the same kind of event of the same action of the same decision, whenever and
by whomever. The key of an exposure begins with the instant until which its token is valid. So all keys that need not be
remembered any more lie together in the store.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

from engine.decide import shown
from engine.errors import RequestIdUsed
from engine.inputs import AnyInput, Decide, Event, Exposure, Fact
from engine.values.absence import is_absent
from engine.vocabulary import DAY_MS

EVENT_KEPT_MS = 30 * DAY_MS
REQUEST_KEPT_MS = DAY_MS
EXPOSURES: Final = b"exposure"  # eight bytes: no digest of another kind begins so by chance
_QUESTION: Final = "question"  # beside the answer to it
_BYTES = 12
_TIME_BYTES = 8  # big-endian, so that keys sort by time
_WHOLE_BELOW: Final = 2.0**53  # a larger float need not be the number that was written


def key_of(told: AnyInput) -> bytes | None:
    """The key of an input within its profile; None where it is never a repeat."""
    if isinstance(told, Event):
        name = told.message_id or told.digest
        return _digest("event", told.source, name) if name else None
    if isinstance(told, Decide) and told.request_id:
        return _digest("request", told.request_id)
    if isinstance(told, Fact):
        return _digest("fact", told.fact)
    if isinstance(told, Exposure):
        about = shown.claimed_by(told.token)
        return None if about is None else exposures_until(about.worth_until_ms) + _digest(about.ref, told.event)
    return None


def exposures_until(at_ms: int) -> bytes:
    """A key that sorts before all exposures whose tokens are still valid at `at_ms`, and behind all others."""
    return EXPOSURES + max(0, at_ms).to_bytes(_TIME_BYTES)


def is_worth_remembering(key: bytes, now_ms: int) -> bool:
    """Whether the input of this key would count if it came again."""
    return not key.startswith(EXPOSURES) or key >= exposures_until(now_ms)


def message_key(sender: str, seq: int) -> bytes:
    """The key of a message between profiles."""
    return _digest("message", sender, str(seq))


def is_remembered(told: AnyInput, seen_ms: int, now_ms: int) -> bool:
    """Whether an input whose first occurrence was at `seen_ms`, by the profile's clock, is still a repeat. An exposure
    is one as long as its key is there."""
    if isinstance(told, Exposure):
        return True
    return now_ms - seen_ms <= (REQUEST_KEPT_MS if isinstance(told, Decide) else EVENT_KEPT_MS)


def to_remember(told: AnyInput, answer: dict[str, Any] | None) -> dict[str, Any] | None:
    """The part of the answer to `told` that is kept for a repeat; None where a repeat needs none."""
    if not isinstance(told, Decide) or answer is None:
        return None
    return answer | {_QUESTION: _question(told)} if told.request_id else answer


def answer_again(told: AnyInput, kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """The answer to a repeat, from the `kept` answer to the first one. Raises RequestIdUsed where that was another
    question.

    Explaining is no part of a question: an explanation is given again only if this repeat asks for one, and the first
    one had.
    """
    if isinstance(told, Exposure):
        return {"recorded": False, "reason": "repeated"}
    if kept is None or not isinstance(told, Decide):
        return kept
    answer = dict(kept)
    if answer.pop(_QUESTION, None) not in (None, _question(told), _question_as_sent(told)):
        raise RequestIdUsed("has been used for another placement, limit or context", "requestId")
    if not told.explain:
        answer.pop("explanation", None)
    return answer


def _question(told: Decide) -> bytes:
    """A digest that tells a question from others of the same customer. Two ways to write one context are one
    question."""
    return _question_of(told, _plain(told.context))


def _question_as_sent(told: Decide) -> bytes:
    """The same over the context as it came: answers that older versions stored have this one."""
    return _question_of(told, told.context)


def _question_of(told: Decide, context: Any) -> bytes:
    asked = (told.placement, told.channel, told.limit, context)
    return blake2b(msgspec.json.encode(asked, order="sorted"), digest_size=_BYTES).digest()


def _plain(value: Any) -> Any:
    """JSON without absent members, and with whole numbers written as such: 1.0 is 1."""
    if isinstance(value, dict):
        members = ((name, _plain(member)) for name, member in value.items())
        return {name: member for name, member in members if not is_absent(member)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE_BELOW:
        return int(value)
    return value


def _digest(*parts: str) -> bytes:
    return blake2b("\x00".join(parts).encode(), digest_size=_BYTES).digest()
