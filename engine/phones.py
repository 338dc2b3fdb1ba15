"""Telephones as people write them, with the country code or as at home.

The one way of writing a telephone is E.164. `0171 1234567` has none by itself: it is read as people in a country write
it, and that country is said by the workspace or by the person's traits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import phonenumbers

_OTHER_NAMES: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}


def read(text: str, country: str) -> tuple[str, str]:
    """The telephone in E.164 and "", or "" and what is wrong with it. `country` (ISO 3166, two letters; empty where
    none is known) counts for what has no country code of its own."""
    number = _parsed(text, None)
    is_whole = number is not None
    if number is None and country:
        number = _parsed(text, country)
    if number is None:
        return "", f"is not a telephone number with + and country code{f', nor one of {country}' if country else ''}"
    if number.extension:
        return "", "has an extension, so it names a switchboard"
    # Possible, not assigned: numbering plans change faster than libraries, and test numbers are never assigned. Where
    # the country is a guess, it must be one that could be assigned there.
    if not (phonenumbers.is_possible_number(number) if is_whole else phonenumbers.is_valid_number(number)):
        return "", f"is not a possible telephone number{'' if is_whole else f' of {country}'}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), ""


def is_country(country: str) -> bool:
    """Whether telephones are known of a country (ISO 3166, two capital letters)."""
    return country in phonenumbers.SUPPORTED_REGIONS


def country_in(traits: Mapping[str, Any]) -> str:
    """The country that traits say somebody lives in, by `country`, else `address.country`; empty where they do not."""
    address = traits.get("address")
    for said in (traits.get("country"), address.get("country") if isinstance(address, dict) else None):
        if isinstance(said, str):
            country = said.strip().upper()
            country = _OTHER_NAMES.get(country, country)
            if is_country(country):
                return country
    return ""


@lru_cache(maxsize=65_536)
def country_of(known: str) -> str:
    """A country of the telephone `known` (E.164): one that has its country code; empty where none has."""
    number = _parsed(known, None)
    code = None if number is None else number.country_code
    country = None if code is None else phonenumbers.region_code_for_country_code(code)
    return country if country is not None and is_country(country) else ""


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
