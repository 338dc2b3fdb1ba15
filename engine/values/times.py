"""Reads written times, the same way wherever one is taken: events, batches, files, consent, exposures, the replay
clock, and the past of a profile.

A time is ISO 8601, in UTC where it names no zone; or the time since 1970 as a number or its digits, in seconds or
milliseconds, which its size tells apart. An absent value (`engine.values.absence`) is no time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.errors import InvalidInput
from engine.values.absence import is_absent

SECONDS_BELOW: Final = 100_000_000_000  # as milliseconds March 1973, as seconds the year 5138
FRACTION_FROM: Final = 100_000_000  # a smaller number with a fraction is a duration, not a time
YEAR_10000_MS: Final = 253_402_300_800_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_TOO_MANY_DIGITS: Final = re.compile(r"[0-9]{9}")  # more than a date, and no number of seconds or milliseconds
_ZONE: Final = re.compile(r"(.*\d)\s*(?:(z|utc|gmt)|(?<=\s)([+-]\d\d:?\d\d))", re.IGNORECASE | re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")  # fewer may be a date: 20260301


def read_ms(value: object, field: str) -> int | None:
    """UTC epoch milliseconds; None where `value` says nothing. InvalidInput names `field` where it is no time between
    the years 1970 and 9999."""
    if value is None:
        return None
    if isinstance(value, str) and value[4:5] == "-":  # nearly every time is written so: this saves the tests below
        return _of_text(value, field)
    if is_absent(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        if not is_number(text):
            return _of_text(text, field)
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("is not a time: a text in ISO 8601, or seconds or milliseconds since 1970", field)
    return _of_number(value, field)


def is_number(text: str) -> bool:
    """Whether a text is the digits of seconds or milliseconds since 1970."""
    return _DIGITS.fullmatch(text) is not None


def of_text(text: str) -> datetime:
    """What a text in ISO 8601 says, of any year; without a zone where it names none. ValueError where it is no time."""
    try:
        return _instant(text)
    except ValueError:
        if (plainer := _plainer(text)) != text:
            return of_text(plainer)
        raise


def _of_text(text: str, field: str) -> int:
    try:
        instant = of_text(text)
        at_ms = ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        raise InvalidInput("is not a time in ISO 8601", field) from None
    if not 0 <= at_ms < YEAR_10000_MS:
        raise InvalidInput("is not between the years 1970 and 9999", field)
    return at_ms


def _instant(text: str) -> datetime:
    """ValueError too where a digit stands between date and time, which Python would take for a separator."""
    is_run_together = text[7:8] == "-" and text[10:11].isdigit()
    if is_run_together or _TOO_MANY_DIGITS.match(text):
        raise ValueError
    return datetime.fromisoformat(text)


def _plainer(text: str) -> str:
    """The text without spaces around it, with its zone as Python reads one: `z`, ` UTC` and ` +0100` are well known."""
    text = text.strip()
    found = _ZONE.fullmatch(text)
    return text if found is None else f"{found[1]}{found[3] or 'Z'}"


def _of_number(value: int | float, field: str) -> int:
    if isinstance(value, float) and value < FRACTION_FROM:
        raise InvalidInput("is not a time: so small a number with a fraction is none", field)
    if not 0 <= value < YEAR_10000_MS:
        raise InvalidInput("is not between the years 1970 and 9999, in seconds or milliseconds", field)
    return round(value * 1000 if value < SECONDS_BELOW else value)
