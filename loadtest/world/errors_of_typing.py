"""Errors as people and scanners make them when they write a word down."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import MappingProxyType
from typing import Final

_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_SOUNDS: Final = (("ph", "f"), ("f", "ph"), ("ck", "k"), ("c", "k"), ("ie", "y"), ("y", "ie"), ("th", "t"), ("ll", "l"))
_LOOKS: Final = (("m", "rn"), ("rn", "m"), ("l", "1"), ("cl", "d"), ("0", "8"), ("5", "s"), ("8", "3"))


def _beside() -> dict[str, str]:
    found = {}
    for row in _ROWS:
        for at, key in enumerate(row):
            found[key] = row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    return found


_BESIDE: Final = MappingProxyType(_beside())


def with_one(text: str, random: Random) -> str:
    """The text with one error; an empty one stays empty."""
    return random.choice(_KINDS)(text, random) if text else text


def _wrong_key(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    beside = _BESIDE.get(text[at], "")
    return text[:at] + (random.choice(beside) if beside else text[at]) + text[at + 1 :]


def _left_out(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    return text[:at] + text[at + 1 :]


def _doubled(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    return text[: at + 1] + text[at:]


def _exchanged(text: str, random: Random) -> str:
    at = random.randrange(max(len(text) - 1, 1))
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def _blank(text: str, random: Random) -> str:
    at = random.randrange(len(text))
    return text.replace(" ", "", 1) if " " in text else f"{text[:at]} {text[at:]}"


def _replaced(pairs: tuple[tuple[str, str], ...]) -> Callable[[str, Random], str]:
    def change(text: str, random: Random) -> str:
        fitting = [pair for pair in pairs if pair[0] in text]
        return text.replace(*random.choice(fitting), 1) if fitting else _wrong_key(text, random)

    return change


_KINDS: Final = (_wrong_key, _left_out, _doubled, _exchanged, _blank, _replaced(_SOUNDS), _replaced(_LOOKS))
