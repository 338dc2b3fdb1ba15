"""Identifiers: namespaces, and the one canonical value of each identifier, settled once at the door.

Two spellings of one mailbox or one telephone must lead to one profile, and no value may stand for two. An absent value
(`engine.values.absence`) names nobody, and characters that nobody sees (`engine.values.spelling`) are no part of a
name. `forms` says how each namespace is spelled: a catalog's (`engine.catalog.identity_rules`), or the built-in ones
alone. The parsers for mail and telephone are slow (about 20 µs), so their answers are cached; they are pure, so these
cannot go stale.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import email_validator
import idna

from engine.errors import InvalidInput
from engine.values import phones
from engine.values.absence import is_absent
from engine.values.nearest import meant
from engine.values.scripts import is_mixed
from engine.values.spelling import visible

VALUE_CHARS_MAX: Final = 255
PROFILE_ID: Final = "profile_id"  # names a profile in paths; no event can claim it

Forms = Mapping[str, str]
# The form of each built-in namespace.
FORMS: Final[Forms] = MappingProxyType(
    {
        "user_id": "plain",
        "loyalty_id": "plain",
        "email": "email",
        "phone": "phone",
        "device_id": "plain",
        "anonymous_id": "plain",
        PROFILE_ID: PROFILE_ID,
    }
)

_PROFILE_IDS: Final = re.compile("0[0-9a-f]{29}")  # see `seeds.profile_id`; a slot has 12 bits
_LABEL_CHARS_MAX: Final = 63
_LOOKED_AT: Final = 4 * VALUE_CHARS_MAX  # characters of a text, most of which may be ones that nobody sees
_NEITHER: Final = "must be a text or a whole number"
_LOOK_ALIKES: Final = "mixes letters of two alphabets that look alike in one word"
_DOTS: Final = ".。．｡"
_GROUPING: Final = " -./\u00a0\u2009\u2010\u2011\u202f"
_UNFIT: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, lone surrogates, line and paragraph breaks


def canonical(namespace: str, value: object, country: str = "", field: str = "", forms: Forms = FORMS) -> str:
    """The one way in which `value` is written in `namespace`; where it has none, `InvalidInput` with that, or else
    `field`, as its field.

    Applied to its own result it changes nothing. E-mail: lower case as a whole, although RFC 5321 lets a host tell
    `Ada@` from `ada@`; none does. Its domain is in letters, by IDNA 2008: `xn--strae-oqa.de` is `straße.de`. Telephone:
    E.164; one without `+` and country code is read as people in `country` (ISO 3166, two letters) write it. A number
    becomes its digits. Of `digits` nothing else stays (`1234-5678` and `1234 5678` are one card).
    """
    found = canonical_if_any(namespace, value, country, field, forms)
    if not found:
        raise InvalidInput("is empty" if isinstance(value, str) else _NEITHER, field or namespace)
    return found


def canonical_if_any(namespace: str, value: object, country: str = "", field: str = "", forms: Forms = FORMS) -> str:
    """The same for what may be absent: then it is empty."""
    form = forms.get(namespace, "")
    if not form:
        raise InvalidInput(f"is none of the namespaces; {meant(namespace, forms)}", namespace[:VALUE_CHARS_MAX])
    if isinstance(value, str) and len(value) <= VALUE_CHARS_MAX:
        found, problem = _read(form, value, country)
    else:
        found, problem = _read_long_or_strange(form, value, country)
    if problem:
        raise InvalidInput(problem, field or namespace)
    return found


def is_same_phone(told: object, known: str) -> bool:
    """Whether `told`, which need not have its country code, is one way of writing the telephone `known` (E.164)."""
    try:
        if canonical_if_any("phone", told, phones.country_of(known)) == known:
            return True
    except InvalidInput:
        pass
    return isinstance(told, str) and len(told) <= VALUE_CHARS_MAX and phones.is_dialled(told, known)


def mailbox(address: str) -> str:
    """An e-mail address as an envelope and a header name it: its domain as DNS has it, by IDNA 2008 alone.

    Python's own `idna` codec is IDNA 2003, to which `straße.de` is `strasse.de`. The local part stays as it is.
    InvalidInput for more or less than one bare address, and for a domain that nobody can have.
    """
    local, at, domain = address.rpartition("@")
    if not local or any(char.isspace() or not char.isprintable() or char in ",;<>()@" for char in local + domain):
        raise InvalidInput("is not one bare e-mail address", "email")
    return local + at + host(domain)


def host(domain: str) -> str:
    """A domain as DNS has it, by IDNA 2008; InvalidInput for one that nobody can have."""
    if domain.isascii() and "xn--" not in domain.lower():
        if all(0 < len(label) <= _LABEL_CHARS_MAX for label in domain.split(".")):
            return domain
        raise InvalidInput("is a domain that nobody can have", "email")
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise InvalidInput("is a domain that nobody can have", "email") from None


def parse_reference(reference: str, country: str = "", forms: Forms = FORMS) -> tuple[str, str]:
    """`namespace:value`, percent-decoded already, to the pair with its canonical value, which may hold colons."""
    namespace, colon, value = reference.partition(":")
    if not colon:
        raise InvalidInput("must be written namespace:value", "identifier")
    return namespace, canonical(namespace, value, country, forms=forms)


def is_clean(text: str) -> bool:
    """Whether `text` is free of characters that break logs, keys and headers: control characters, lone surrogates, new
    lines."""
    return text.isprintable() or _UNFIT.isdisjoint(map(unicodedata.category, text))


# These answer (canonical value, "") or ("", the fault), because the cache keeps no exceptions; for an absent value
# ("", ""). The cache is bounded by its number of values, so no long value comes into it.


def _read_long_or_strange(form: str, value: object, country: str) -> tuple[str, str]:
    if is_absent(value):
        return "", ""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        return "", _NEITHER
    text = (visible(text) if len(text) <= _LOOKED_AT else text).strip()
    if len(text) > VALUE_CHARS_MAX:
        return "", f"is longer than {VALUE_CHARS_MAX} characters"
    return _read(form, text, country)


@lru_cache(maxsize=65_536)
def _read(form: str, text: str, country: str) -> tuple[str, str]:
    text = visible(text).strip()
    if is_absent(text):
        return "", ""
    return phones.read(text, country) if form == "phone" else _PARSERS[form](text)


def _plain(text: str) -> tuple[str, str]:
    if not is_clean(text):
        return "", "holds a control character or a broken one"
    composed = unicodedata.normalize("NFC", text)
    if len(composed) > VALUE_CHARS_MAX:  # a few characters are composed of more than they were
        return "", f"is longer than {VALUE_CHARS_MAX} characters"
    return ("", _LOOK_ALIKES) if is_mixed(composed) else (composed, "")


def _lower(text: str) -> tuple[str, str]:
    return _plain(text.lower())


def _upper(text: str) -> tuple[str, str]:
    return _plain(text.upper())


def _digits(text: str) -> tuple[str, str]:
    """The decimal digits of a text, in ASCII, whatever groups them; letters and signs in it make it another thing."""
    found = "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())
    if not found or any(not char.isdecimal() and char not in _GROUPING for char in text):
        return "", "is made of digits, in groups or not"
    return found, ""


def _email(text: str) -> tuple[str, str]:
    if text[-1] in _DOTS:  # a dot at the end is the root of DNS: it names the same domain
        text = text[:-1]
    try:
        # `.test` (RFC 6761) belongs to worlds like our own demo; whether mail arrives is not asked here.
        parsed = email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return "", "is not an e-mail address"
    found = unicodedata.normalize("NFC", parsed.normalized.lower())
    return ("", _LOOK_ALIKES) if is_mixed(found) else (found, "")


def _profile_id(text: str) -> tuple[str, str]:
    found = text.lower()
    return (found, "") if _PROFILE_IDS.fullmatch(found) else ("", "is not the id of a profile")


_PARSERS: Final[Mapping[str, Callable[[str], tuple[str, str]]]] = {
    "plain": _plain,
    "lower": _lower,
    "upper": _upper,
    "digits": _digits,
    "email": _email,
    PROFILE_ID: _profile_id,
}
