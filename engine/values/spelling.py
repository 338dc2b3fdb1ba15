"""Names without characters that nobody sees: two texts that look the same must be one.

Invisible format characters come along with what is copied from a mail or a spreadsheet (U+200B, a byte-order mark, a
soft hyphen, marks of direction), and nobody sees them. Some do show: a joiner between the parts of an emoji, or in a
script that needs it (Persian, the scripts of India); the selector that chooses the picture of an emoji or the variant
of a character; the letters inside a flag. Those stay.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import idna
from idna.idnadata import joining_types
from idna.intranges import intranges_contain

_NON_JOINER, _JOINER = "\u200c", "\u200d"
_JOIN_ON, _JOIN_BACK = frozenset("DLC"), frozenset("DRC")  # types of letters that join the next one, the former one
_MONGOLIAN_GAP, _MONGOLIAN_FIRST, _MONGOLIAN_LAST = "\u180e", "\u1820", "\u18aa"
_FLAG, _FLAG_END = "\U0001f3f4", "\U000e007f"
_FIRST_WITH_VARIANTS: Final = 0x1000  # Myanmar; no letter before it has any
_KEYCAP, _KEYS = "\u20e3", frozenset("0123456789#*")
SELECTORS: Final = frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F))
)
_LETTERS_OF_FLAGS: Final = frozenset(map(chr, range(0xE0020, 0xE007F)))
# Unicode's default-ignorable characters that are not of category Cf, without the selectors: fillers and the like.
FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180e\u2065\u3164\uffa0")
# Characters of category Cf that are seen: signs of numbers and verses before digits, and the layout of hieroglyphs.
_SEEN: Final = frozenset(
    map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13456)))
)
_SKIN: Final = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_OF_PICTURES: Final = SELECTORS | _SKIN
_VIRAMA, _AROUND = 9, 30  # a combining class; characters that are looked at on each side


def composed(text: str) -> str:
    """A text in NFC: accents may be written as part of their letters or behind them, and here they are part of them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def visible(text: str) -> str:
    """`text` in NFC without characters that nobody sees. Applied to its own result it changes nothing."""
    if text.isascii():
        return text
    # Again and again, because a character that goes may leave others that compose, or that show nothing any more.
    while (seen := unicodedata.normalize("NFC", _seen(text))) != text:
        text = seen
    return text


def _seen(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    if not any(_may_hide(char) for char in text):
        return text
    kept: list[str] = []
    for index, char in enumerate(text):
        if not _may_hide(char) or _shows(kept, char, text[index + 1 :]):
            kept.append(char)
    return "".join(kept)


def _may_hide(char: str) -> bool:
    if char in SELECTORS or char in FILLERS:
        return True
    return unicodedata.category(char) == "Cf" and char not in _SEEN


def _shows(before: list[str], char: str, after: str) -> bool:
    """Whether a character that may be invisible changes what is seen, given the text kept `before` it and that
    `after`."""
    if char == _JOINER and _shapes(before, after):
        return True
    if not before:
        return False
    if char in (_JOINER, _NON_JOINER):
        return _joins(before, char, after)
    if char == _MONGOLIAN_GAP:
        return all(_MONGOLIAN_FIRST <= each <= _MONGOLIAN_LAST for each in (before[-1], after[:1]))
    if char in SELECTORS:
        return _selects(before[-1], after)
    if char in _LETTERS_OF_FLAGS or char == _FLAG_END:
        return _is_in_flag(before, char, after)
    return False


def _joins(before: list[str], char: str, after: str) -> bool:
    following = "".join(each for each in after[:_AROUND] if not _may_hide(each))
    if following and unicodedata.combining(following[0]) == _VIRAMA and unicodedata.category(before[-1])[0] in "LM":
        return True  # Bengali's and Kannada's ra, whose place it says
    if char == _JOINER and unicodedata.combining(before[-1]) == _VIRAMA:
        return True  # it shows at the end of a word too: a chillu of Malayalam
    if char == _JOINER:
        part = next((each for each in reversed(before) if each not in _OF_PICTURES), "")
        return bool(part and following) and _is_picture(part) and _is_picture(following[0])
    around = "".join(before[-_AROUND:])
    try:
        return bool(following) and idna.valid_contextj(around + char + following, len(around))
    except ValueError:  # a character beside it is none
        return False


def _shapes(before: list[str], after: str) -> bool:
    """Whether a joiner gives a letter of Arabic and its like the shape that it has beside another one, which is not
    there: `ه` at the end of an abbreviation."""
    if before and before[-1] == _JOINER:
        return False
    former = next((kind for kind in map(_joining, reversed(before)) if kind != "T"), "")
    seen = (each for each in after[:_AROUND] if not _may_hide(each))
    latter = next((kind for kind in map(_joining, seen) if kind != "T"), "")
    joins_on, joins_back = former in _JOIN_ON, latter in _JOIN_BACK
    return joins_on != joins_back


def _joining(char: str) -> str:
    """How a letter joins others (Unicode's Joining_Type); empty for one that never does."""
    if unicodedata.category(char) == "Mn":
        return "T"
    return next((kind for kind, ranges in joining_types.items() if intranges_contain(ord(char), ranges)), "")


def _selects(before: str, after: str) -> bool:
    if before in _KEYS:
        return after.startswith(_KEYCAP)
    return before not in SELECTORS and (before in "©®" or ord(before) >= _FIRST_WITH_VARIANTS)


def _is_in_flag(before: list[str], char: str, after: str) -> bool:
    """A flag of a region is a black flag, letters that nobody sees by themselves, and an end."""
    letters = 0
    while letters < len(before) and before[-1 - letters] in _LETTERS_OF_FLAGS:
        letters += 1
    if letters == len(before) or before[-1 - letters] != _FLAG:
        return False
    if char == _FLAG_END:
        return letters > 0
    rest = after.lstrip("".join(_LETTERS_OF_FLAGS))
    return rest.startswith(_FLAG_END)


def _is_picture(char: str) -> bool:
    return unicodedata.category(char) == "So" or char in _SKIN or char in "‼⁉™ℹ↔〰"
