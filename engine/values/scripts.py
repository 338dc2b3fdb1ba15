"""Letters that look alike: one word with letters of two alphabets is somebody's trick, or a slip of the keyboard.

Two texts that look the same must be one, or must not both be. `аda` with a Cyrillic `а` cannot be told from `ada`, and
nobody writes it in earnest. A word that is Cyrillic as a whole is a name like any other, and so is one of Latin letters
beside one of Cyrillic ones (`shop-иван`), or Latin among Chinese and Japanese signs (UTS #39 calls these restricted).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Alphabets whose letters are taken for each other's.
_ALIKE: Final = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET"))
_WORDS: Final = re.compile(r"[^\W\d_]+")


def is_mixed(text: str) -> bool:
    """Whether a word of `text` has letters of two alphabets that look alike."""
    if text.isascii():
        return False
    # An accent that stands by itself ends no word.
    letters = "".join(char for char in text if unicodedata.category(char)[0] != "M")
    return any(len(_alphabets(word)) > 1 for word in _WORDS.findall(letters) if not word.isascii())


def _alphabets(word: str) -> set[str]:
    named = {unicodedata.name(char, "").partition(" ")[0] for char in word}
    return named & _ALIKE
