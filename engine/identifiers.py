"""Who an identifier names: namespaces and their one canonical value, settled once at the door.

Two spellings of one mailbox or one telephone must meet in one profile, and no value may stand for two. The parsers for
mail and telephone are slow (about 20 µs), so their answers are kept; being pure, they cannot go stale.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import email_validator
import idna
import phonenumbers

from engine.errors import InvalidInput
from engine.vocabulary import NAMESPACES

VALUE_CHARS_MAX: Final = 255
PROFILE_ID: Final = "profile_id"  # read-only: it names a profile in paths, and is never claimed

_KNOWN: Final = frozenset((*NAMESPACES, PROFILE_ID))
_PROFILE_IDS: Final = re.compile("0[0-9a-f]{29}")  # see `seeds.profile_id`; a slot has 12 bits
_LABEL_CHARS_MAX: Final = 63
_DOTS: Final = ".。．｡"
_UNFIT: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))  # control characters, lone surrogates, line and paragraph breaks


def canonical(namespace: str, value: object) -> str:
    """The one way in which `value` is written in `namespace`; where it has none, `InvalidInput` with that as its field.

    Applied to its own result it changes nothing. E-mail: lower case as a whole, although RFC 5321 lets a host tell
    `Ada@` from `ada@`; none does. Its domain is in letters, by IDNA 2008: `xn--strae-oqa.de` is `straße.de`. Telephone:
    E.164, so it needs its `+` and country code. A number becomes its digits.
    """
    if namespace not in _KNOWN:
        raise InvalidInput(f"is none of the namespaces {', '.join(NAMESPACES)}", namespace[:VALUE_CHARS_MAX])
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise InvalidInput("must be a text or a whole number", namespace)
    text = text.strip()
    if not text:
        raise InvalidInput("is empty", namespace)
    if len(text) > VALUE_CHARS_MAX:  # before the caches, which are bounded by their number of values
        raise InvalidInput(f"is longer than {VALUE_CHARS_MAX} characters", namespace)
    found, problem = _PARSERS.get(namespace, _plain)(text)
    if problem:
        raise InvalidInput(problem, namespace)
    return found


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


def is_blocked(namespace: str, value: str, blocked: Mapping[str, frozenset[str]]) -> bool:
    """Whether a canonical value never identifies anyone (`null`, `0`, a tester's address).

    `blocked` holds lower-case values; case is ignored, because `NULL` and `Null` come from the same careless form.
    """
    values = blocked.get(namespace)
    return values is not None and (value in values or value.casefold() in values)


def parse_reference(reference: str) -> tuple[str, str]:
    """`namespace:value`, percent-decoded already, to the pair with its canonical value, which may hold colons."""
    namespace, colon, value = reference.partition(":")
    if not colon:
        raise InvalidInput("must be written namespace:value", "identifier")
    return namespace, canonical(namespace, value)


def is_clean(text: str) -> bool:
    """Whether `text` is free of what breaks logs, keys and headers: control characters, lone surrogates, new lines."""
    return text.isprintable() or _UNFIT.isdisjoint(map(unicodedata.category, text))


# The parsers answer (canonical value, ""), or ("", what is wrong): an exception would not be kept by the cache.


@lru_cache(maxsize=65_536)
def _plain(text: str) -> tuple[str, str]:
    if not is_clean(text):
        return "", "holds a control character or a broken one"
    composed = unicodedata.normalize("NFC", text)
    if len(composed) > VALUE_CHARS_MAX:  # a few characters are composed of more than they were
        return "", f"is longer than {VALUE_CHARS_MAX} characters"
    return composed, ""


@lru_cache(maxsize=65_536)
def _email(text: str) -> tuple[str, str]:
    if text[-1] in _DOTS:  # the root of DNS, which names the same domain
        text = text[:-1]
    try:
        # `.test` (RFC 6761) belongs to worlds like our own demo; whether mail arrives is not asked here.
        parsed = email_validator.validate_email(text, check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError:
        return "", "is not an e-mail address"
    return unicodedata.normalize("NFC", parsed.normalized.lower()), ""


@lru_cache(maxsize=65_536)
def _phone(text: str) -> tuple[str, str]:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return "", "is not a telephone number with + and country code"
    if number.extension:
        return "", "has an extension, so it names a switchboard"
    # Possible, not assigned: numbering plans change faster than libraries, and test numbers are never assigned.
    if not phonenumbers.is_possible_number(number):
        return "", "is not a possible telephone number"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), ""


def _profile_id(text: str) -> tuple[str, str]:
    found = text.lower()
    return (found, "") if _PROFILE_IDS.fullmatch(found) else ("", "is not the id of a profile")


_PARSERS: Final[Mapping[str, Callable[[str], tuple[str, str]]]] = {
    "email": _email,
    "phone": _phone,
    PROFILE_ID: _profile_id,
}
