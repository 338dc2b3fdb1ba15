"""Reads countries as forms and shops write them: a code of ISO 3166, or the name in English."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import phonenumbers
from babel import Locale
from babel.core import get_global

_LONGEST: Final = 60  # characters; no name of a country has more

# Names that people use beside those that CLDR prefers, as `_plain` writes them.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "uk": "GB",
    "el": "GR",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "united states of america": "US",
    "america": "US",
    "holland": "NL",
    "czech republic": "CZ",
    "turkey": "TR",
    "russian federation": "RU",
    "korea": "KR",
    "republic of korea": "KR",
    "viet nam": "VN",
    "ivory coast": "CI",
    "hong kong": "HK",
    "macao": "MO",
    "macau": "MO",
    "myanmar": "MM",
    "burma": "MM",
    "uae": "AE",
    "bosnia": "BA",
    "macedonia": "MK",
    "swaziland": "SZ",
    "cape verde": "CV",
    "palestine": "PS",
}


def is_country(code: str) -> bool:
    """Whether telephones are known of a country by its code (ISO 3166, two capital letters)."""
    return code in phonenumbers.SUPPORTED_REGIONS


def code_of(said: str) -> str:
    """The country that `said` means (two capital letters), empty where none is known: two or three letters of ISO 3166
    or an English name, in any case."""
    return _code_of(said) if len(said) <= _LONGEST else ""


@lru_cache(maxsize=4_096)
def _code_of(said: str) -> str:
    code = said.replace(".", "").strip().upper()
    return code if is_country(code) else _known().get(_plain(said), "")


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    aliases: Mapping[str, list[str]] = get_global("territory_aliases")
    names = [(alias, codes[0]) for alias, codes in aliases.items() if len(codes) == 1]
    names += [(name, code) for code, name in Locale("en").territories.items()]
    return {_plain(name): code for name, code in names if is_country(code)} | dict(_OTHER_NAMES)


def _plain(name: str) -> str:
    """A name without what people often leave out: accents, dots, `the`."""
    letters = (char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))
    words = "".join(letters).replace("&", " and ").replace("’", "'").replace(".", "").replace("-", " ").split()
    return " ".join("saint" if word == "st" else word for word in words if word != "the")
