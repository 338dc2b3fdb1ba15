"""The keys that an event carries for a journey, and the runs that an event is about.

A key is a text, a number, true or false, compared as text: 17 and "17" are one key. Absent values
(`engine.values.absence`), empty lists and objects are no keys. A journey's own stops, resets and awaited events concern
the runs whose key the event carries. Where the run or the event has no key, nobody can tell, and the event is about the
run too. Global stops do not look at keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from engine.catalog.compiled import Journey
from engine.profile import Run
from engine.recent_events import Happened
from engine.values.absence import is_absent
from engine.values.paths import values_at

KEY_CHARS_MAX: Final = 200  # a longer one is kept as its beginning and a hash


def key_of(journey: Journey, event: Happened) -> str:
    """The key of the run that an event starts: the first where it carries several; empty where the journey has no key
    or the event no value."""
    return next(_keys(journey, event.properties), "")


def of_run(journey: Journey, run: Run) -> str:
    """The key that a run's trigger carries for a version of its journey."""
    return next(_keys(journey, run.trigger), "")


def all_of(journey: Journey, event: Happened) -> tuple[str, ...]:
    """Every key that an event carries for a journey."""
    return tuple(_keys(journey, event.properties))


def is_about(journey: Journey, run: Run, event: Happened) -> bool:
    """Whether an event that a journey hears is about this run of it."""
    if journey.key is None or not run.key:
        return True
    keys = [*_keys(journey, event.properties)]
    return not keys or kept(run.key) in keys


def kept(key: str) -> str:
    """A key as runs keep it: a long one as its beginning and a hash, so that two long ones stay distinct."""
    if len(key) <= KEY_CHARS_MAX:
        return key
    return f"{key[:100]}…{blake2b(key.encode(errors='surrogatepass'), digest_size=16).hexdigest()}"


def _keys(journey: Journey, properties: Mapping[str, Any]) -> Iterator[str]:
    if journey.key is not None:
        for value in values_at(properties, tuple(journey.key.split("."))):
            key = spelled(value)
            if key:
                yield key


def spelled(value: Any) -> str:
    """A value as keys are compared: as text; empty for what can be no key."""
    if is_absent(value) or isinstance(value, dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return kept(str(int(value)))
    return kept(str(value).strip())
