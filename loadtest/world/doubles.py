"""Invented records of invented people, some of them several times and with errors: what the shipped model of matching
is trained on, and what matching is tried with besides public data.

    python -m loadtest.world.doubles --people 20000 --profile usual --out FOLDER

It writes `records.csv` and `truth.csv` as `segue identity evaluate` reads them. The same seed gives the same files.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from loadtest.world import errors_of_typing

Row = dict[str, str]
Part = TypeVar("Part")

COLUMNS: Final = (
    *("given_name", "surname", "birthday", "national_id", "street_number", "address_1", "address_2"),
    *("city", "postcode", "state", "email", "phone", "device"),
)
# fmt: off
_ONSETS: Final = (
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w",
    "br", "ch", "cl", "dr", "fr", "gr", "kr", "pr", "sch", "sh", "st", "th", "tr",
)
_NUCLEI: Final = ("a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "ei", "ie", "oo", "ou")
_CODAS: Final = ("", "", "", "n", "r", "s", "l", "t", "m", "ck", "ll", "nd", "ng", "rt", "ss", "st", "th", "tz", "x")
# fmt: on
_HOSTS: Final = ("mail.example", "post.example", "inbox.example", "home.example")
_TYPES: Final = ("street", "road", "place", "crescent", "avenue", "court", "way")
_OF_HOUSEHOLD: Final = ("surname", "street_number", "address_1", "address_2", "city", "postcode", "state")


@dataclass(frozen=True, slots=True)
class Profile:
    """How often what happens. Rates are of 1; `moved` is for each record, `errors` is how many there are in one."""

    doubled: float = 0.3  # of the people, who have further records
    doubles_max: int = 3
    errors: float = 1.0
    replaced: float = 0.1  # of the errors: another value altogether
    swapped: float = 0.03  # names in each other's place; half as often lines of an address, or day and month
    moved: float = 0.08
    missing: float = 0.1  # of the values of a record, beside those that nobody asked for
    household: float = 0.3  # of the people, who live with the one before
    twin: float = 0.003
    without: tuple[str, ...] = ()  # columns that the whole table lacks


PROFILES: Final = {
    "usual": Profile(),
    "light": Profile(doubled=0.5, doubles_max=1, errors=0.6, missing=0.02, moved=0.0, household=0.0, twin=0.0),
    "heavy": Profile(doubled=0.6, doubles_max=5, errors=3.0, replaced=0.2, swapped=0.08, missing=0.08, household=0.0),
    "sparse": Profile(errors=1.5, missing=0.35),
    "shop": Profile(missing=0.25, without=("birthday", "national_id", "address_2", "state")),
    "families": Profile(household=0.7, twin=0.02, without=("national_id",)),
}


class World:
    """The names, towns and streets that people are made of; common ones are common as Zipf has it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._given = self._words(800, 2)
        self._surnames = self._words(4_000, 2)
        self._streets = [f"{name} {random.choice(_TYPES)}" for name in self._words(2_500, 2)]
        self._houses = self._words(1_000, 3)
        self._towns = [(name, str(random.randrange(1_000, 9_999)), str(at % 8)) for at, name in self._numbered(600)]
        self._weights = list(accumulate(1 / (rank + 8) for rank in range(4_000)))

    def person(self) -> Row:
        """Somebody new, with an address of their own."""
        random = self._random
        city, postcode, state = self._pick(self._towns)
        return self.named(
            {
                "surname": self._pick(self._surnames),
                "street_number": str(min(int(random.expovariate(1 / 40)) + 1, 999)),
                "address_1": self._pick(self._streets),
                "address_2": self._pick(self._houses) if random.random() < 0.3 else "",
                "city": city,
                "postcode": str(int(postcode) + random.randrange(3)),
                "state": f"state {state}",
            }
        )

    def named(self, address: Row) -> Row:
        """Somebody who lives at an address, with what is one's own."""
        random, given = self._random, self._pick(self._given)
        day = f"{random.randrange(1930, 2008)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
        return {
            **address,
            "given_name": given,
            "birthday": day,
            "national_id": str(random.randrange(1_000_000, 9_999_999)),
            "email": f"{given}.{address['surname']}{random.randrange(1_000)}@{random.choice(_HOSTS)}",
            "phone": f"0{random.randrange(150, 180)}{random.randrange(1_000_000, 9_999_999)}",
            "device": f"{random.getrandbits(48):012x}",
        }

    def other(self, column: str) -> str:
        """A value of a column from somebody else."""
        return self.person()[column]

    def _pick(self, pool: Sequence[Part]) -> Part:
        return self._random.choices(pool, cum_weights=self._weights[: len(pool)])[0]

    def _words(self, count: int, syllables: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            found["".join(self._syllable() for _ in range(self._random.randrange(1, syllables + 1)))] = None
        return list(found)

    def _syllable(self) -> str:
        return "".join(map(self._random.choice, (_ONSETS, _NUCLEI, _CODAS)))

    def _numbered(self, count: int) -> Iterable[tuple[int, str]]:
        return enumerate(self._words(count, 3))


def records(seed: int, people: int, profile: Profile) -> tuple[list[Row], list[list[int]]]:
    """The records of so many people in mixed order, and the places of each person's records."""
    random = Random(seed)
    world = World(random)
    made: list[tuple[int, Row]] = []
    before = world.person()
    for number in range(people):
        person = _next(before, world, profile, random)
        before = person
        made.append((number, _written(person, world, profile, random)))
        while random.random() < profile.doubled and _count(made, number) <= profile.doubles_max:
            made.append((number, _written(person, world, profile, random)))
    random.shuffle(made)
    places: dict[int, list[int]] = {}
    for place, (number, _) in enumerate(made):
        places.setdefault(number, []).append(place)
    return [row for _, row in made], list(places.values())


def _count(made: Sequence[tuple[int, Row]], number: int) -> int:
    return sum(one == number for one, _ in made[-10:])


def _next(before: Row, world: World, profile: Profile, random: Random) -> Row:
    if random.random() >= profile.household:
        return world.person()
    person = world.named({column: before[column] for column in _OF_HOUSEHOLD})
    if random.random() < 0.2:
        person["phone"] = before["phone"]
    if random.random() < 0.1:
        person["email"] = before["email"]
    if random.random() < 0.1:
        person["device"] = before["device"]
    if random.random() < profile.twin / max(profile.household, profile.twin):
        person["birthday"] = before["birthday"]
    return person


def _written(person: Row, world: World, profile: Profile, random: Random) -> Row:
    """A record of a person as it comes in."""
    row = dict(person)
    if random.random() < profile.moved:
        elsewhere = world.person()
        row.update({column: elsewhere[column] for column in _OF_HOUSEHOLD if column != "surname"})
    if random.random() < 0.5:
        row["device"] = f"{random.getrandbits(48):012x}"  # people have several
    for column in COLUMNS:
        if column in profile.without or random.random() < profile.missing:
            row[column] = ""
    for _ in range(_poisson(profile.errors, random)):
        column = random.choice([column for column in COLUMNS if row[column]] or ["city"])
        replaced = random.random() < profile.replaced
        row[column] = world.other(column) if replaced else errors_of_typing.with_one(row[column], random)
    if random.random() < profile.swapped:
        row["given_name"], row["surname"] = row["surname"], row["given_name"]
    if random.random() < profile.swapped / 2:
        row["address_1"], row["address_2"] = row["address_2"], row["address_1"]
    if random.random() < profile.swapped / 2:
        row["birthday"] = row["birthday"][:4] + row["birthday"][6:] + row["birthday"][4:6]
    return {column: row[column] for column in COLUMNS}


def _poisson(mean: float, random: Random) -> int:
    count, left = 0, random.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + random.expovariate(1.0)
    return count


def write(folder: Path, rows: Sequence[Row], people: Sequence[Sequence[int]]) -> None:
    """`records.csv` and `truth.csv` of some records."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "records.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("rec_id", *COLUMNS))
        writer.writerows((f"r{place}", *row.values()) for place, row in enumerate(rows))
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("rec_id_1", "rec_id_2"))
        for places in people:
            writer.writerows((f"r{a}", f"r{b}") for a, b in combinations(places, 2))


def main() -> None:
    """Write the files that the command line asks for."""
    parser = argparse.ArgumentParser(description="Invented records, some people several times.")
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="usual")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    write(asked.out, *records(asked.seed, asked.people, PROFILES[asked.profile]))


if __name__ == "__main__":
    main()
