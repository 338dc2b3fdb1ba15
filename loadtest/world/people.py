"""Synthetic people with names, birthdays and addresses, from a seed, and second records of some of them with errors.

Names and places are drawn as unevenly as real ones are: the commonest surname has some three in a thousand, as in a
large country. Of a second record one or two fields have an error that people make, or are missing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "er", "an", "el", "on")
_SYLLABLES: Final = tuple(first + rest for first in "bdfgklmnprstvw" for rest in _VOWELS)
_GIVEN, _SURNAMES, _STREETS, _TOWNS = 1_500, 25_000, 12_000, 3_000
_TYPO = "abcdefghijklmnopqrstuvwxyz"
Person = dict[str, Any]


class People:
    """A population; person `number` is always the same."""

    def __init__(self, seed: int = 7) -> None:
        made = random.Random(seed)
        self._given = _words(made, _GIVEN, 2)
        self._surnames = _words(made, _SURNAMES, 3)
        self._streets = _words(made, _STREETS, 3)
        self._towns = _words(made, _TOWNS, 3)
        self._seed = seed

    def person(self, number: int) -> Person:
        """The traits of a person."""
        draw = random.Random(f"{self._seed}/{number}")
        given, surname = _zipf(draw, self._given), _zipf(draw, self._surnames)
        town = min(int(draw.paretovariate(0.9)) - 1 + draw.randrange(200), _TOWNS - 1)
        return {
            "firstName": given,
            "lastName": surname,
            "birthday": f"{draw.randint(1935, 2007)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
            "address": {
                "street": f"{draw.randint(1, 180)} {draw.choice(self._streets)} street",
                "city": self._towns[town],
                "postalCode": f"{10_000 + town * 7 + draw.randrange(7)}",
            },
            "email": f"{given}.{surname}{draw.randrange(10_000)}@mail{draw.randrange(9)}.example",
        }

    def again(self, number: int) -> Person:
        """A second record of a person: another mail address, and an error or two elsewhere."""
        draw = random.Random(f"{self._seed}/again/{number}")
        found = self.person(number)
        found["address"] = dict(found["address"])
        found["email"] = f"{draw.choice(_SYLLABLES)}{draw.randrange(1_000_000)}@web.example"
        for error in draw.sample(_ERRORS, draw.randint(1, 2)):
            error(draw, found)
        return found


def _words(made: random.Random, count: int, syllables: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(made.choice(_SYLLABLES) for _ in range(made.randint(2, syllables + 1))).capitalize()] = None
    return list(found)


def _zipf(draw: random.Random, words: list[str]) -> str:
    """Common words first: the share of a word falls with its place, and half of all draws are spread over all."""
    if draw.random() < 0.5:
        return draw.choice(words)
    return words[min(int(len(words) ** draw.random()) - 1, len(words) - 1)]


def _typo(draw: random.Random, text: str) -> str:
    at = draw.randrange(len(text))
    return draw.choice((text[:at] + draw.choice(_TYPO) + text[at + 1 :], text[:at] + text[at + 1 :]))


def _misspell(name: str) -> Any:
    def error(draw: random.Random, found: Person) -> None:
        found[name] = _typo(draw, found[name])

    return error


def _swap_day_and_month(draw: random.Random, found: Person) -> None:
    if "birthday" not in found:
        return
    year, month, day = found["birthday"].split("-")
    found["birthday"] = f"{year}-{day}-{month}" if int(day) <= 12 else f"{year}-{month}-{int(day) - 1:02}"


def _move(draw: random.Random, found: Person) -> None:
    found["address"] = {"street": f"{draw.randint(1, 99)} Elsewhere street", "city": "Elsewhere", "postalCode": "99999"}


def _leave_out_birthday(draw: random.Random, found: Person) -> None:
    found.pop("birthday", None)


def _leave_out_address(draw: random.Random, found: Person) -> None:
    found.pop("address", None)


_ERRORS: Final = (
    _misspell("firstName"),
    _misspell("lastName"),
    _swap_day_and_month,
    _move,
    _leave_out_birthday,
    _leave_out_address,
)


def second_records(count: int, of: int, seed: int = 7) -> Iterator[int]:
    """The numbers of `count` different people among the first `of`."""
    yield from random.Random(seed + 1).sample(range(of), count)
