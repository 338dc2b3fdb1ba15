"""The form in which records are compared: every column one canonical text, empty where nothing is known.

Two ways of writing the same thing become one here (case, accents, blanks, `St.` with its dot), so that the comparison
levels are about errors alone. What a column holds is derived from the record by itself; no other record is looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import jellyfish

TEXT_CHARS_MAX: Final = 64  # of one column; Jaro–Winkler takes time with the product of both lengths
SIGNALS_MAX: Final = 32  # devices or networks of one record

_PHONE_DIGITS: Final = 9  # the end of a number, which is the same with and without its country code
_DAY_LAST: Final = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})(?!\d)")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})(?!\d)")
_NUMBER_FIRST: Final = re.compile(r"\s*(\d+\s?[a-zA-Z]?)[\s,]+(\D.*)")
_NUMBER_LAST: Final = re.compile(r"(\D+?)[\s,]+(\d+\s?[a-zA-Z]?)\s*")

Value = str | Sequence[str]
NOTHING: Final[frozenset[str]] = frozenset()


class Comparable(NamedTuple):
    """One record, ready to be compared. Texts are empty and sets have no member where nothing is known."""

    given_name: str = ""
    given_sound: str = ""  # how it sounds in English (Metaphone); the name itself in another script
    surname: str = ""
    surname_sound: str = ""
    birth: str = ""  # YYYYMMDD, which need not be a day that exists: a typing error is what is looked for
    birth_crossed: str = ""  # the same with day and month crossed
    birth_year_month: str = ""
    birth_year_day: str = ""
    birth_month_day: str = ""
    national_id: str = ""
    street_number: str = ""
    street: str = ""
    street_extra: str = ""  # the second line of an address
    city: str = ""
    postcode: str = ""
    region: str = ""
    email: str = ""
    email_name: str = ""  # what stands before the @, without dots and without what follows a plus
    phone: str = ""  # its last digits
    devices: frozenset[str] = NOTHING
    networks: frozenset[str] = NOTHING


COLUMNS: Final = Comparable._fields
SETS: Final = ("devices", "networks")


def comparable(fields: Mapping[str, Value]) -> Comparable:
    """The comparable form of a record whose fields have the names of `engine.matching.fields`; others are ignored."""
    given, surname = (_letters(_one(fields, name)) for name in ("given_name", "surname"))
    if not given and not surname:
        given, surname = _parts_of_name(_one(fields, "full_name"))
    number, street = _number_and_street(_one(fields, "street_number"), _one(fields, "street"))
    email = _one(fields, "email").strip().casefold()[: 4 * TEXT_CHARS_MAX]
    return Comparable(
        given,
        _sound(given),
        surname,
        _sound(surname),
        *_birth(_one(fields, "birth")),
        _compact(_one(fields, "national_id")),
        _compact(number),
        _compact(street),
        _compact(_one(fields, "street_extra")),
        _compact(_one(fields, "city")),
        _compact(_one(fields, "postcode")),
        _compact(_one(fields, "region")),
        email,
        email.partition("@")[0].partition("+")[0].replace(".", ""),
        "".join(char for char in _one(fields, "phone") if char.isdecimal())[-_PHONE_DIGITS:],
        _signals(fields.get("devices")),
        _signals(fields.get("networks")),
    )


def _one(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else next(iter(value), "")


@lru_cache(maxsize=65_536)
def _compact(text: str) -> str:
    """Letters and digits alone, in lower case and without accents: `St. Álbans` is `stalbans`."""
    if text.isascii() and text.isalnum():
        return text[:TEXT_CHARS_MAX].lower()
    plain = unicodedata.normalize("NFKD", text[: 4 * TEXT_CHARS_MAX]).casefold()
    return "".join(char for char in plain if char.isalnum())[:TEXT_CHARS_MAX]


def _letters(text: str) -> str:
    return "".join(char for char in _compact(text) if not char.isdecimal())


@lru_cache(maxsize=65_536)
def _sound(name: str) -> str:
    return str(jellyfish.metaphone(name)) if name.isascii() else name


def _parts_of_name(name: str) -> tuple[str, str]:
    """`Ada King Lovelace` or `Lovelace, Ada King` as given name and surname."""
    before, comma, after = name.partition(",")
    if comma:
        return _letters(after), _letters(before)
    first, _, last = name.strip().rpartition(" ")
    return _letters(first), _letters(last)


def _birth(text: str) -> tuple[str, str, str, str, str]:
    """A date and its parts; all empty where the text is none."""
    if found := _DAY_LAST.match(text.strip()):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.match(text.strip()):
        day, month, year = (part.zfill(2) for part in found.groups())
    else:
        return "", "", "", "", ""
    return year + month + day, year + day + month, year + month, year + day, month + day


def _number_and_street(number: str, street: str) -> tuple[str, str]:
    """`12 Herschell Circuit` and `Herschell Circuit 12` in two parts, where the number has no field of its own."""
    if number:
        return number, street
    if found := _NUMBER_FIRST.fullmatch(street):
        return found[1], found[2]
    if found := _NUMBER_LAST.fullmatch(street):
        return found[2], found[1]
    return "", street


def _signals(value: Value | None) -> frozenset[str]:
    if not value:
        return NOTHING
    values = (value,) if isinstance(value, str) else sorted(value)[:SIGNALS_MAX]
    return frozenset(each.strip().casefold()[:TEXT_CHARS_MAX] for each in values if each.strip())
