"""What two ways of writing one thing have in common, and what stays different."""

from __future__ import annotations

import pytest

from engine.matching.comparable import COLUMNS, TEXT_CHARS_MAX, comparable
from engine.matching.fields import columns_used, fields_of, reader, record_of

ADA = {"firstName": "Ada", "lastName": "King-Lovelace", "birthday": "1815-12-10", "email": "Ada.L+shop@Example.com"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"given_name": "Zoë"}, {"given_name": "zoe"}),
        ({"surname": "O'Brien"}, {"surname": "o brien"}),
        ({"surname": "Straße"}, {"surname": "STRASSE"}),
        ({"city": "St. Albans"}, {"city": "st alb ans"}),
        ({"birth": "1990-02-01"}, {"birth": "19900201"}),
        ({"birth": "1990-02-01T00:00:00Z"}, {"birth": "1.2.1990"}),
        ({"street": "12 Herschell Circuit"}, {"street": "Herschell Circuit", "street_number": "12"}),
        ({"street": "Lindenweg 7a"}, {"street": "Lindenweg", "street_number": "7A"}),
        ({"full_name": "Ada King Lovelace"}, {"given_name": "Ada King", "surname": "Lovelace"}),
        ({"full_name": "Lovelace, Ada King"}, {"given_name": "Ada King", "surname": "Lovelace"}),
        ({"phone": "+49 151 23456789"}, {"phone": "0151-23456789"}),
        ({"devices": ["B", "a", ""]}, {"devices": ["a", "b"]}),
    ],
)
def test_two_spellings_of_one_thing_are_one(one: dict, other: dict):
    assert comparable(one) == comparable(other)


def test_what_is_not_known_is_empty():
    assert not any(comparable({}))
    assert comparable({"birth": "unknown"}).birth == ""


def test_a_date_with_a_typing_error_is_still_compared():
    assert comparable({"birth": "19261398"}).birth == "19261398"


def test_another_script_is_compared_by_its_own_letters():
    anna = comparable({"given_name": "Анна"})
    assert (anna.given_name, anna.given_sound) == ("анна", "анна")


def test_a_column_is_bounded_whatever_comes_in():
    long = comparable(dict.fromkeys(("given_name", "street", "city", "email", "phone"), "a1" * 10000))
    assert all(len(value) <= 4 * TEXT_CHARS_MAX for value in long)
    assert len(comparable({"devices": [str(n) for n in range(1_000)]}).devices) == 32


def test_segments_traits_feed_the_comparisons():
    ada = record_of({**ADA, "address": {"street": "1 Ockham Road", "city": "London", "postalCode": "W1"}})
    assert (ada.given_name, ada.surname, ada.birth) == ("ada", "kinglovelace", "18151210")
    assert (ada.email_name, ada.street_number, ada.street) == ("adal", "1", "ockhamroad")


def test_a_workspace_says_which_of_its_traits_feed_a_comparison():
    assert fields_of({"vorname": "Ada", "firstName": "Eva"}, {"given_name": ("vorname",)}) == {"given_name": "Ada"}


def test_columns_of_a_table_are_found_by_their_names():
    header = ["rec_id", "given_name", "Surname", "address_1", "date_of_birth", "soc_sec_id", "shoe size"]
    assert columns_used(header) == {
        "given_name": "given_name",
        "Surname": "surname",
        "address_1": "street",
        "date_of_birth": "birth",
        "soc_sec_id": "national_id",
    }
    read = reader(header)(["rec-1-org", "Ada", "King", "Ockham Road", "18151210", "7", "38"])
    assert "rec1org" not in read
    assert dict(zip(COLUMNS, read, strict=True))["national_id"] == "7"
