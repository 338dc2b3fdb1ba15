"""Telephones as people write them, with the country code or as at home.

The one way of writing a telephone is E.164. `0171 1234567` does not say its country: it is read as people in a country
write it, and the workspace or the person's traits say which country that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import phonenumbers
from phonenumbers import timezone
from phonenumbers.phonenumbermatcher import _is_national_prefix_present_if_required as _has_its_trunk_prefix

from engine.values.absence import is_absent
from engine.values.countries import code_of, is_country

# Numbers of these kinds are somebody's own. One that is free to call is a firm's, from wherever its callers are.
_OF_PEOPLE: Final = frozenset(
    (
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
        phonenumbers.PhoneNumberType.VOIP,
        phonenumbers.PhoneNumberType.UNKNOWN,  # one that nobody has yet, as far as the tables know
    )
)

UNKNOWN: Final = "?"  # a country that somebody says, and that is none

_NONE: Final = "is not a telephone number with + and country code"


def read(text: str, country: str) -> tuple[str, str]:
    """The telephone in E.164 and "", or "" and what is wrong with it. `country` (ISO 3166, two letters; empty where
    none is said, `UNKNOWN` where it is not understood) counts for what has no country code of its own."""
    number = _parsed(text, None)
    is_whole = number is not None
    if country == UNKNOWN and not is_whole:
        return "", f"{_NONE}, and the country that is said is none that is known"
    if number is None and country:
        number = _parsed(text, country)
    if number is None:
        return "", f"{_NONE}{f', nor one of {country}' if country else ''}"
    if not is_whole and not _is_surely_at_home(number):
        with_plus = _parsed("+" + phonenumbers.normalize_digits_only(text), None)
        if with_plus is not None and phonenumbers.is_valid_number(with_plus):
            if with_plus.country_code != number.country_code:
                return "", f"may be one of {country}, or one of another country without its +"
            number = with_plus
    if number.extension:
        return "", "has an extension, so it names a switchboard"
    # It is enough that a number is possible: numbering plans change faster than libraries, and test numbers are never
    # assigned. Where the country is a guess, the number must be one that could be assigned there.
    if not (phonenumbers.is_possible_number(number) if is_whole else phonenumbers.is_valid_number(number)):
        return "", f"is not a possible telephone number{'' if is_whole else f' of {country}'}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), ""


def country_in(traits: Mapping[str, Any], home: str = "") -> str:
    """The country that traits say somebody lives in, by `country`, else `address.country`; `home` where they say none,
    and `UNKNOWN` where what they say is no country."""
    address = traits.get("address")
    places = (traits.get("country"), address.get("country") if isinstance(address, dict) else None)
    said = [place for place in places if not is_absent(place)]
    known = (code_of(place) for place in said if isinstance(place, str))
    return next(filter(None, known), UNKNOWN if said else home)


@lru_cache(maxsize=65_536)
def country_of(known: str) -> str:
    """A country of the telephone `known` (E.164): one that has its country code; empty where none has."""
    number = _parsed(known, None)
    code = None if number is None else number.country_code
    country = None if code is None else phonenumbers.region_code_for_country_code(code)
    return country if country is not None and is_country(country) else ""


@lru_cache(maxsize=16_384)
def home_of(known: str) -> tuple[str, frozenset[str]]:
    """The country of the telephone `known` (E.164), and the time zones that its number leads to; nothing where the
    number does not say it. One of a mobile may lead to every zone of its country, and of others with its code."""
    number = _parsed(known, None)
    if number is None or phonenumbers.number_type(number) not in _OF_PEOPLE:
        return "", frozenset()
    country = phonenumbers.region_code_for_number(number) or country_of(known)
    return country, frozenset(timezone.time_zones_for_number(number))


def _is_surely_at_home(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a number without + is written as its country writes it: with its 0 where people write one, else with no
    more digits than people's numbers have there, so that none of them is a country code of another country."""
    if not _has_its_trunk_prefix(number):
        return False
    return len(str(number.national_number)) <= _usual_digits(number.country_code or 0)


@lru_cache(maxsize=256)
def _usual_digits(code: int) -> int:
    region = phonenumbers.region_code_for_country_code(code)
    of_people = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    usual = (phonenumbers.example_number_for_type(region, each) for each in of_people)
    return max((len(str(each.national_number)) for each in usual if each is not None), default=15)


@lru_cache(maxsize=65_536)
def is_dialled(text: str, known: str) -> bool:
    """Whether `text` is the telephone `known` (E.164) as it is dialled from some country: `00`, or another prefix that
    leads abroad, and the whole number."""
    digits = phonenumbers.normalize_digits_only(text)
    cuts = (cut for cut in range(1, len(digits)) if _prefixes().fullmatch(digits[:cut]))
    return any(read(f"+{digits[cut:]}", "") == (known, "") for cut in cuts)


@lru_cache(maxsize=1)
def _prefixes() -> re.Pattern[str]:
    known = (phonenumbers.PhoneMetadata.metadata_for_region(region) for region in phonenumbers.SUPPORTED_REGIONS)
    return re.compile("|".join(sorted({each.international_prefix or "00" for each in known if each is not None})))


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
