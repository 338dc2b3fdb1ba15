"""Guesses the known word that was meant by an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_CHARS_MAX: Final = 100  # of a word that is compared, for comparing takes the square of its length
_WORDS_MAX: Final = 2_000
LIKE: Final = 0.7
_NAMED_MAX: Final = 20
_NAMED_CHARS_MAX: Final = 200


def nearest(word: str, words: Iterable[str], like: float = LIKE) -> str | None:
    """The one of `words` that `word` nearly is: the same but for letter case, `_`, `-` and spaces, else the one that
    has at least the share `like` of its letters in common. None where none is near, and for a word that is one of
    them."""
    folded: dict[str, str] = {}
    for known, _ in zip(words, range(_WORDS_MAX), strict=False):
        if known == word:
            return None
        folded.setdefault(_folded(known), known)
    wanted = _folded(word[:_CHARS_MAX])
    if wanted in folded:
        return folded[wanted]
    close = get_close_matches(wanted, folded, n=1, cutoff=like) if wanted else []
    return folded[close[0]] if close else None


def meant(word: str, words: Iterable[str]) -> str:
    """The end of a message that refuses `word`: what was probably meant, and the first of the words that there are."""
    known = list(words)
    near = nearest(word, known)
    named = ", ".join(sorted(known)[:_NAMED_MAX])
    if len(named) > _NAMED_CHARS_MAX:
        named = named[:_NAMED_CHARS_MAX].rpartition(", ")[0] or named[:_NAMED_CHARS_MAX]
    there_are = f"there are: {named}" if known else "there are none"
    more = ", …" if known and len(named.split(", ")) < len(known) else ""
    return f"{there_are}{more}" if near is None else f"did you mean {near}? {there_are}{more}"


def _folded(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "").replace(" ", "")
