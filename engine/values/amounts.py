"""Reads the amounts that shops send: 19.9, "19.90", "19,90 €", "1.299,00", "1,299.00", "EUR 5".

A plain numeral as a text was written by a machine: its dot is the decimal point, whatever follows. All other texts were
written for people. Of two kinds of separator the last one is the decimal one. A single separator before exactly three
digits separates thousands, unless a zero leads. Thousands are in groups of three, or as in India (1,23,456). A value
that says no number, or more than one, is None; so are truth values, NaN and numbers that no price can be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Final

from babel.numbers import list_currencies

from engine.values.absence import is_absent

CHARS_MAX: Final = 60
_LARGEST: Final = Decimal(10) ** 15  # no price is larger
_PLAIN: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_WRITTEN: Final = re.compile(
    r"([^\d.,]*(?:[^\W\d_]\.[ \u00a0\u202f]*)?)"  # the dot of "Rs." is no separator
    r"([.,]?\d(?:[\d.,'’ \u00a0\u202f]*\d)?)[.,]?([^\d.,]*)",
    re.ASCII,
)
_NO_CENTS: Final = re.compile(r"(?<=\d)[.,][-–—]+")  # "5,–": nothing behind the decimal separator
_GAPS: Final = re.compile("['’ \u00a0\u202f]")
_GROUPED: Final = re.compile(r"\d*|\d{1,3}(?:([.,'’ \u00a0\u202f])\d{3})(?:\1\d{3})*|\d{1,2}(,\d\d)+,\d{3}", re.ASCII)
_MANY: Final = re.compile(r"k|m|mio|mn|mln|mil|mrd|bn|b|t|tsd|lac|cr", re.I)  # thousands or millions of something
_NO_MONEY: Final = frozenset(("XXX", "XTS"))  # ISO 4217 has codes for no currency and for tests
_UNITS: Final = re.compile(r"[^\W\d_]{1,3}\.?|[A-Z]{0,3}[$€£¥₩₹₺₽₴₫₪₱฿₦][A-Z]{0,3}")
_MINUS: Final = "-−–"
_NO_CURRENCY: Final = ("",)
_CODE: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
_FIELDS: Final = (("amount", "value"), ("currency", "currency_code", "currencyCode"))  # of a price that is an object

# The currencies that each sign may stand for; the first where nothing else says which.
SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "€": ("EUR",),
    "£": ("GBP",),
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "BRL", "TWD", "ARS", "CLP", "COP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "₽": ("RUB",),
    "₴": ("UAH",),
    "₫": ("VND",),
    "₪": ("ILS",),
    "₱": ("PHP",),
    "zł": ("PLN",),
    "Kč": ("CZK",),
    "лв": ("BGN",),
    "руб": ("RUB",),
    "₦": ("NGN",),
    "฿": ("THB",),
    "₸": ("KZT",),
    "Ft": ("HUF",),
    "lei": ("RON",),
    "leu": ("RON",),
    "Rs": ("INR", "PKR", "LKR", "NPR", "MUR"),
    "RM": ("MYR",),
    "Rp": ("IDR",),
    "kr": ("SEK", "DKK", "NOK", "ISK"),
    "Fr": ("CHF",),
    "SFr": ("CHF",),
    "US$": ("USD",),
    "R$": ("BRL",),
    **dict.fromkeys(("A$", "AU$"), ("AUD",)),
    **dict.fromkeys(("C$", "CA$"), ("CAD",)),
    **dict.fromkeys(("S$", "SG$"), ("SGD",)),
    "HK$": ("HKD",),
    "NT$": ("TWD",),
    "NZ$": ("NZD",),
    "MX$": ("MXN",),
}


def number(value: Any) -> Decimal | None:
    """The amount, finite and below 10¹⁵; None where `value` says none."""
    return _read(value)[0]


def currencies(value: Any) -> tuple[str, ...]:
    """The currencies (ISO 4217, upper case) that are written beside an amount or named in its field, the likeliest
    first. Nothing where none is said; an empty text alone where the unit is no currency."""
    return _read(value)[1]


def codes(unit: Any) -> tuple[str, ...]:
    """The currencies that a word or a sign may stand for; none where it stands for no currency."""
    if not isinstance(unit, str):
        return ()
    word = unit.strip().rstrip(".")
    if word in SIGNS:
        return SIGNS[word]
    return (word.upper(),) if _CODE.fullmatch(word) and word.upper() in _known() else ()


@cache
def _known() -> frozenset[str]:
    return frozenset(list_currencies()) - _NO_MONEY


def _read(value: Any) -> tuple[Decimal | None, tuple[str, ...]]:
    if isinstance(value, Mapping):
        amount, currency = (next((value[name] for name in names if name in value), None) for names in _FIELDS)
        found, beside = _read(amount) if not isinstance(amount, Mapping) else (None, ())
        return found, beside if is_absent(currency) else codes(currency) or _NO_CURRENCY
    if isinstance(value, str):
        return _of_text(value.strip()) if len(value) <= CHARS_MAX else (None, ())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None, ()
    return _bounded(repr(value) if isinstance(value, float) else value), ()


def _of_text(text: str) -> tuple[Decimal | None, tuple[str, ...]]:
    if _PLAIN.fullmatch(text):
        return _bounded(text), ()
    written = _WRITTEN.fullmatch(_NO_CENTS.sub("", text))
    if written is None:
        return None, ()
    before, digits, after = written[1], written[2], written[3]
    signs = sum(char in _MINUS for char in before + after)
    units = [unit for part in (before, after) if (unit := part.strip(" +\u00a0\u202f\u200e\u200f" + _MINUS))]
    if signs > 1 or len(units) > 1 or not all(_UNITS.fullmatch(unit) for unit in units):
        return None, ()
    beside = codes(units[0]) or _NO_CURRENCY if units else ()
    if units and beside == _NO_CURRENCY and _MANY.fullmatch(units[0].rstrip(".")):
        return None, ()
    plain = _plain(digits)
    found = _bounded(plain) if plain is not None else None
    return (-found if found is not None and signs else found), beside


def _plain(digits: str) -> str | None:
    """The digits with a dot for the decimal point and no other separator; None where the separators make no sense."""
    points, rest = [char for char in digits if char in ".,"], ""
    whole = digits
    if len(set(points)) == 2:
        whole, _, rest = digits.rpartition(points[-1])
    elif len(points) == 1:
        before, _, behind = digits.partition(points[0])
        is_thousands = len(behind) == 3 and 1 <= len(before) <= 3 and not before.startswith("0")
        whole, rest = (digits, "") if is_thousands else (before, _GAPS.sub("", behind))
    if not _GROUPED.fullmatch(whole.strip()):
        return None
    return "".join(char for char in whole if char.isdigit()) + (f".{rest}" if rest else "")


def _bounded(said: str | int | Decimal) -> Decimal | None:
    try:
        found = Decimal(said)
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < _LARGEST else None
