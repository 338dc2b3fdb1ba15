"""Money, numbers and times as a customer's language writes them. Values that are none of these are absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, get_currency_precision, parse_pattern
from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from engine.texts.effort import check_width
from engine.texts.values import Absent, is_nothing
from engine.values import amounts
from engine.values import money as units

_FALLBACK: Final = "en"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}(?=\s*($|[-_.@,;]))", re.ASCII)
_TAG_CHARS_MAX: Final = 100
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_COUNTED: Final = re.compile(r"\d{9,13}", re.ASCII)  # seconds or milliseconds as a text
_SECONDS_MAX: Final = 100_000_000_000  # above it, a number counts milliseconds
_PATTERN_CHARS_MAX: Final = 100
_DECIMALS_MAX: Final = 20
_DECIMALS_SHOWN: Final = 3
_BROKEN: Final = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, OSError)


@pass_context
def money(context: Context, value: Any, currency: Any = None, minor: bool = False) -> Any:
    """An amount with its currency, rounded as the currency is. `minor`: the amount is in cents, say."""
    amount = amounts.number(value)
    if amount is None:
        return Absent()
    code = _currency(context, value, currency)
    amount = amount.scaleb(-units.exponent(code)) if minor else amount
    digits, locale = get_currency_precision(code), locale_of(context.resolve("language"))
    amount = _rounded(amount, digits)
    return format_currency(amount, code, locale=locale) if code else _fixed(amount, digits, locale)


@pass_context
def number(context: Context, value: Any, digits: Any = None) -> Any:
    """A number as the language writes it, with `digits` decimals; without `digits` with its own, at most three."""
    amount, locale = amounts.number(value), locale_of(context.resolve("language"))
    if amount is None:
        return Absent()
    if isinstance(digits, int) and 0 <= digits <= _DECIMALS_MAX:
        return _fixed(_rounded(amount, digits), digits, locale)
    check_width(digits)
    return format_decimal(amount if _rounded(amount, _DECIMALS_SHOWN) else Decimal(0), locale=locale)


def _rounded(amount: Decimal, digits: int) -> Decimal:
    """Rounded half away from zero; a zero has no sign."""
    found = amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return found if found else found.copy_abs()


@pass_context
def day(context: Context, value: Any, style: str = "long") -> Any:
    """A day: `short`, `medium`, `long`, `full`, or a pattern of letters such as `d. MMMM`."""
    found = _moment(context, value)
    return Absent() if found is None else _timed(format_date, found, style, locale_of(context.resolve("language")))


@pass_context
def clock_time(context: Context, value: Any, style: str = "short") -> Any:
    """A time of the day, in the same styles; absent where only a day is said."""
    found = _moment(context, value)
    return (
        _timed(format_time, found.time(), style, locale_of(context.resolve("language")))
        if isinstance(found, datetime)
        else Absent()
    )


def _timed(form: Any, found: date | time, style: Any, locale: Locale) -> Any:
    if not isinstance(style, str) or len(style) > _PATTERN_CHARS_MAX:
        return Absent()
    try:
        return form(found, style, locale=locale)
    except _BROKEN:
        return Absent()


def _moment(context: Context, value: Any) -> date | None:
    """A day, or an instant in the customer's zone."""
    try:
        if isinstance(value, str) and _DAY.fullmatch(value.strip()):
            return date.fromisoformat(value.strip())
        zone = _zone(context.resolve("timezone"))
        if isinstance(value, str) and _COUNTED.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000 if abs(value) > _SECONDS_MAX else value, UTC)
        else:
            return None
        return found.astimezone(zone) if found.tzinfo else found
    except (*_BROKEN, OverflowError):
        return None


def _currency(context: Context, value: Any, named: Any) -> str:
    """ISO 4217; empty where the template, the amount or the event names something that is no currency."""
    beside, event = amounts.currencies(value), context.resolve("event")
    of_event = event.get("currency") if isinstance(event, Mapping) else None
    usual = amounts.codes(of_event) or amounts.codes(context.resolve("currency"))
    if not is_nothing(named):
        return (amounts.codes(named) or ("",))[0]
    if beside:
        return usual[0] if usual and usual[0] in beside else beside[0]
    if of_event is not None and not isinstance(of_event, Undefined) and not amounts.codes(of_event):
        return ""
    return usual[0] if usual else ""


def locale_of(language: Any) -> Locale:
    """The locale that a language tag names, such as `de`, `de-AT`, `pt_BR`, whatever stands behind it (`de_DE@euro`,
    `de-DE,de;q=0.9`); English where it names none."""
    found = _LANGUAGE.match(language.strip()[:_TAG_CHARS_MAX]) if isinstance(language, str) else None
    return _known_locale(found[0] if found else _FALLBACK)


@lru_cache(maxsize=512)
def _known_locale(tag: str) -> Locale:
    for part in (tag, re.split("[-_]", tag)[0]):
        try:
            return Locale.parse(part.replace("_", "-"), sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale(_FALLBACK)


@lru_cache(maxsize=256)
def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except _BROKEN:
        return ZoneInfo("UTC")


def _fixed(amount: Decimal, digits: int, locale: Locale) -> str:
    pattern = parse_pattern(locale.decimal_formats[None].pattern)
    pattern.frac_prec = (digits, digits)
    return str(pattern.apply(amount, locale))
