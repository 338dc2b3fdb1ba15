"""Absent values: one rule for the door, for conditions and for templates.

Null is absent, and so are a text that is empty, blank or made of invisible characters alone, an empty list (PHP's
empty object), an empty object, and the words that JavaScript writes where it has no value. Zero and false are values.
Data is stored as it came; this rule is only about how it is read.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from engine.values.spelling import FILLERS, SELECTORS, visible

WORDS: Final = frozenset(("undefined", "null", "NaN", "[object Object]"))
_INVISIBLE: Final = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_HIDDEN: Final = FILLERS | SELECTORS  # Unicode calls them letters and marks, but nobody sees them


def is_absent(value: Any) -> bool:
    """Whether `value`, as JSON, says nothing."""
    if value is None:
        return True
    if isinstance(value, str):
        return is_blank(value) or value.strip() in WORDS or (not value.isascii() and _is_hidden_word(value))
    return isinstance(value, (list, tuple, dict)) and not value


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen."""
    if not text:
        return True
    if "!" <= text[0] <= "~":  # nearly every text ends here
        return False
    return (not text[0].isalnum() or text[0] in _HIDDEN) and all(
        char.isspace() or unicodedata.category(char) in _INVISIBLE or char in _HIDDEN for char in text
    )


def _is_hidden_word(text: str) -> bool:
    """Whether a word for nothing stands among characters that nobody sees."""
    seen = text.encode("ascii", "ignore").decode().strip()
    return seen in WORDS and visible(text).strip() in WORDS
