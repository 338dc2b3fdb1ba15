"""How likely two records are one person, and what speaks for it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.errors import InvalidInput
from engine.matching import model as models
from engine.matching.blocking import keys
from engine.matching.comparable import Comparable, comparable
from engine.matching.comparisons import COMPARISONS
from engine.matching.model import Chances, Terms, untrained
from engine.matching.scoring import matcher, score

ADA = {
    "given_name": "Ada",
    "surname": "Lovelace",
    "birth": "1985-12-10",
    "street": "12 Herschell Circuit",
    "city": "London",
    "postcode": "20095",
}
READY = matcher(untrained(10_000))


def alike(**changes: str) -> float:
    """How likely Ada's record and one with some changes are one person."""
    return score(READY, comparable(ADA), comparable({**ADA, **changes})).probability


def levels(a: Comparable, b: Comparable) -> dict[str, str]:
    return {reason.comparison: reason.level for reason in score(READY, a, b).reasons}


@pytest.mark.parametrize(
    ("changes", "comparison", "level"),
    [
        ({"given_name": "Adda"}, "given_name", "close"),
        ({"given_name": "Lovelace", "surname": "Ada"}, "given_name", "swapped with the surname"),
        ({"surname": "Luvlase"}, "surname", "sounds alike"),
        ({"birth": "1985-10-12"}, "birth", "day and month swapped"),
        ({"birth": "1985-12-19"}, "birth", "one digit"),
        ({"birth": "1985-12-28"}, "birth", "two of three parts"),
        ({"street": "12 Hershell Circuit"}, "street", "close"),
        ({"city": "Londn"}, "place", "postcode, city close"),
        ({"postcode": "20059"}, "place", "city, postcode close"),
        ({"postcode": "99999", "city": "Paris"}, "place", "different"),
    ],
)
def test_an_error_has_its_level(changes: dict[str, str], comparison: str, level: str):
    assert levels(comparable(ADA), comparable({**ADA, **changes}))[comparison] == level


def test_more_agreement_is_more_likely_and_each_reason_says_how_much():
    assert alike() > alike(surname="Lovelase") > alike(surname="Byron") > alike(surname="Byron", birth="1950-01-02")
    told = score(READY, comparable(ADA), comparable({**ADA, "surname": "Byron"}))
    bits = {reason.comparison: reason.bits for reason in told.reasons}
    assert bits["birth"] > 10 > 0 > bits["surname"]
    strangers = READY.against_strangers + sum(bits.values())
    housemates = READY.against_housemates + bits["given_name"] + bits["birth"]
    twins = READY.against_twins + bits["given_name"]
    assert told.probability == pytest.approx(1 / (1 + 2**-strangers + 2**-housemates + 2**-twins))


def test_who_lives_together_is_not_one_person():
    home = {**ADA, "phone": "0151 23456789", "email": "lovelace@mail.example"}
    ada = comparable(home)
    assert score(READY, ada, comparable({**home, "given_name": "Ralph", "birth": "2012-05-03"})).probability < 0.05
    assert score(READY, ada, comparable({**home, "given_name": ""})).probability > 0.99
    assert score(READY, ada, comparable({**home, "given_name": "", "birth": ""})).probability < 0.9


def test_a_twin_is_a_question_and_no_merge():
    home = {**ADA, "phone": "0151 23456789", "email": "lovelace@mail.example"}
    assert 0.5 < score(READY, comparable(home), comparable({**home, "given_name": "Judith"})).probability < 0.999


def test_what_one_record_lacks_says_nothing():
    told = score(READY, comparable(ADA), comparable({"given_name": "Ada"}))
    assert [reason.comparison for reason in told.reasons] == ["given_name"]


def test_swapped_names_count_once():
    swapped = comparable({**ADA, "given_name": "Lovelace", "surname": "Ada"})
    assert "surname" not in levels(comparable(ADA), swapped)


def test_the_order_of_two_records_does_not_matter():
    other = comparable({**ADA, "given_name": "Lovelace", "surname": "", "postcode": "20059"})
    assert score(READY, comparable(ADA), other) == score(READY, other, comparable(ADA))


def test_a_rare_name_says_more_than_a_common_one():
    ready = matcher(replace(untrained(10_000), terms={"surname": Terms(1e-4, {"smith": 0.02})}))
    common, rare = comparable({"surname": "Smith"}), comparable({"surname": "Wojciechowski"})
    assert score(ready, common, common).reasons[0].bits < 6 < 12 < score(ready, rare, rare).reasons[0].bits


def test_among_more_records_the_same_agreement_says_less():
    pair = comparable({"given_name": "Ada", "birth": "1985-12-10"}), comparable(ADA)
    of_few, of_many = (matcher(untrained(10_000), population=count) for count in (1_000, 10_000_000))
    assert score(of_few, *pair).probability > 0.9 > 0.5 > score(of_many, *pair).probability


def test_records_with_an_error_still_share_a_blocking_key():
    ada = set(keys(comparable(ADA)))
    for error in (
        {"birth": "1985-10-12", "postcode": "1"},
        {"given_name": "Lovelace", "surname": "Ada"},
        {"surname": "Lovelase"},
    ):
        assert ada & set(keys(comparable({**ADA, **error}))), error
    assert not ada & set(keys(comparable({"given_name": "Grace", "surname": "Hopper", "city": "London"})))


def test_a_key_is_of_a_pass_and_of_what_is_known():
    assert keys(comparable({})) == []
    assert keys(comparable({"devices": ["d2", "d1"]})) == [("device", "d1"), ("device", "d2")]


def test_a_model_is_read_as_it_was_written():
    model = replace(untrained(500, 0.25), terms={"city": Terms(0.001, {"london": 0.1})})
    data = models.written(model)
    assert models.read(data) == model
    assert models.written(models.read(data)) == data


def changed(**parts: object) -> bytes:
    return models.written(replace(untrained(500), **parts))


def broken(name: str, level: str, chances: Chances) -> dict[str, dict[str, Chances]]:
    return {**untrained().comparisons, name: {**untrained().comparisons[name], level: chances}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no model of matching"),
        (b"[1]", "is no model of matching"),
        (changed(version=7), "has version 7; this program reads 1"),
        (changed(matches_per_record=-1.0), "matchesPerRecord must be above 0"),
        (changed(housemates_per_record=0.0), "housematesPerRecord must be above 0"),
        (changed(comparisons={}), "comparisons lacks"),
        (changed(comparisons=broken("birth", "exact", Chances(2.0, 0.5))), "comparisons.birth.exact: m and u"),
        (changed(comparisons=broken("birth", "exact", Chances(0.1, 0.5))), "comparisons.birth: the chances m"),
        (changed(comparisons=broken("birth", "odd", Chances(0.1, 0.5))), "comparisons.birth knows no 'odd'"),
        (changed(terms={"shoes": Terms(0.1)}), "terms knows no 'shoes'"),
        (changed(terms={"city": Terms(0.0)}), "terms.city: a share must be above 0"),
    ],
)
def test_a_broken_model_is_refused_with_its_place(data: bytes, message: str):
    with pytest.raises(InvalidInput, match=message.replace(".", r"\.")) as caught:
        models.read(data, "models/identity.json")
    assert caught.value.field == "models/identity.json"


def test_the_first_guess_is_a_model_by_itself():
    assert models.read(models.written(untrained(0))).comparisons.keys() == {each.name for each in COMPARISONS}
