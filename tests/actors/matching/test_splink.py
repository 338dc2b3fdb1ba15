"""The engine and splink put every pair into the same levels and come to the same probability."""

from __future__ import annotations

from random import Random

import pytest

from engine.errors import InvalidInput
from engine.matching.comparable import SETS, Comparable, comparable
from engine.matching.comparisons import COMPARISONS, TERMS
from engine.matching.model import Chances, Model, Terms
from engine.matching.scoring import matcher, score

pytest.importorskip("splink")
from actors.matching.pairs_table import PairsTable
from actors.matching.training import train

LETTERS = "abcdeéßжщ中 -'"


def word(random: Random) -> str:
    return "".join(random.choices(LETTERS, k=random.randrange(0, 9)))


def some_record(random: Random) -> dict[str, object]:
    day = f"19{random.randrange(80, 83)}{random.randrange(1, 13):02}{random.randrange(1, 13):02}"
    return {
        "given_name": word(random),
        "surname": word(random),
        "birth": random.choice((day, "")),
        "national_id": str(random.randrange(100, 130)),
        "street": word(random),
        "street_extra": word(random),
        "street_number": str(random.randrange(1, 30)),
        "city": word(random),
        "postcode": str(random.randrange(1_000, 1_020)),
        "region": random.choice("abc "),
        "email": random.choice(("", f"{word(random).strip()}@shop.example")),
        "phone": random.choice(("", str(random.randrange(100_000, 100_050)))),
        "devices": random.sample("xyz", random.randrange(3)),
        "networks": random.sample("mno", random.randrange(3)),
    }


def with_an_error(record: dict[str, object], random: Random) -> dict[str, object]:
    name = random.choice([name for name in record if name not in SETS])
    text = list(str(record[name]))
    if text:
        text[random.randrange(len(text))] = random.choice(LETTERS)
    first, second = random.choice((("given_name", "surname"), ("street", "street_extra"), ("city", "city")))
    return {**record, name: "".join(text), first: record[second], second: record[first]}


def some_model(records: list[Comparable], random: Random) -> Model:
    def chances(count: int) -> list[float]:
        drawn = [random.random() + 0.001 for _ in range(count)]
        return [each / sum(drawn) for each in drawn]

    comparisons = {}
    for each in COMPARISONS:
        m, u = chances(len(each.level_names)), chances(len(each.level_names))
        comparisons[each.name] = {name: Chances(m[at], u[at]) for at, name in enumerate(each.level_names)}
    terms = {}
    for column in TERMS:
        values = sorted({getattr(record, column) for record in records[:50]} - {""})
        terms[column] = Terms(0.01, {value: random.random() * 0.1 for value in values})
    return Model(1, len(records), 1.0, random.random(), random.random(), comparisons, terms)


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_scores_as_splink_does(seed: int):
    random = Random(seed)
    raw = [some_record(random) for _ in range(150)]
    raw += [with_an_error(record, random) for record in raw]
    records = [comparable(each) for each in raw]
    model = some_model(records, random)
    ready = matcher(model)
    with PairsTable(records, COMPARISONS, seed) as table:
        found = list(table.links(model, 0.0))
    assert len(found) > 1_000
    levels = set()
    for a, b, probability in found:
        told = score(ready, records[a], records[b])
        assert told.probability == pytest.approx(probability, rel=1e-9, abs=1e-12), (records[a], records[b])
        levels |= {(reason.comparison, reason.level) for reason in told.reasons}
    every = {(each.name, level) for each in COMPARISONS for level in each.level_names}
    assert len(every - levels) <= 4, every - levels  # nearly every level is among these pairs


def test_too_few_records_are_refused():
    with pytest.raises(InvalidInput, match="at least 100 are needed"):
        train([comparable({"given_name": "Ada"})] * 99)


def test_records_without_a_column_to_compare_are_refused():
    with pytest.raises(InvalidInput, match="no column of the records feeds a comparison"):
        train([comparable({})] * 100)


@pytest.mark.slow
@pytest.mark.parametrize("column", ["given_name", "email", "phone"])
def test_one_column_of_people_who_are_all_different_makes_nobody_one(column: str):
    digits = [f"{number * 7919 % 100_003:05}{number}" for number in range(200)]
    words = (
        digits if column == "phone" else [each.translate(str.maketrans("0123456789", "abcdefghij")) for each in digits]
    )
    found = train([comparable({column: f"{word}@mail.example" if column == "email" else word}) for word in words])
    assert found.matches < 1


@pytest.mark.slow
def test_records_that_are_all_the_same_tell_nothing_and_break_nothing():
    found = train([comparable({"given_name": "Ada", "surname": "King", "birth": "18151210"})] * 120)
    assert found.matches < 1


def test_people_who_share_an_address_do_not_stop_the_learning():
    """Of those with an e-mail address in common nobody has two dates of birth that are nearly the same, say."""
    random = Random(1)

    def word(syllables: int) -> str:
        return "".join(random.choice("bdklmnrstv") + random.choice("aeio") for _ in range(syllables))

    def somebody(email: str = "") -> dict[str, str]:
        given, surname = word(2), word(3)
        return {
            "given_name": given,
            "surname": surname,
            "birth": f"{random.randint(1940, 2005)}{random.randint(1, 12):02}{random.randint(1, 28):02}",
            "street": f"{word(3)} street",
            "street_number": str(random.randint(1, 200)),
            "city": word(3),
            "postcode": str(random.randint(10000, 99999)),
            "email": email or f"{given}.{surname}@shop.example",
            "phone": str(random.randint(10**9, 10**10)),
        }

    rows: list[dict[str, str]] = []
    for number in range(300):
        rows.append(somebody())
        if number < 200:
            name, value = random.choice(list(rows[-1].items())[:7])
            at = random.randrange(len(value))
            rows.append(rows[-1] | {name: value[:at] + value[at + 1 :]})
        elif number < 220:
            rows.append(somebody(rows[-1]["email"]))

    found = train([comparable(row) for row in rows])

    assert found.matches == pytest.approx(200, abs=10)
