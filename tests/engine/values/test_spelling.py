"""What nobody sees is no part of a name, and what shows stays."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.values.identifiers import canonical, canonical_if_any
from engine.values.spelling import visible

HIDDEN = [
    "\u200b",  # a space of no width
    "\ufeff",  # a byte-order mark
    "\u00ad",  # a soft hyphen
    "\u2060",
    "\u200e",
    "\u200f",
    "\u061c",
    "\u202a",
    "\u202c",
    "\u2066",
    "\u2069",
    "\u200c",  # joiners between letters that do not join
    "\u200d",
    "\ufe0f",  # a picture's selector behind a letter
    "\u034f",
    "\u3164",
    "\U000e0061",  # a letter of a flag without a flag
]
SHOWN = [
    "👩\u200d💻",
    "👩🏽\u200d💻",
    "👨\u200d👩\u200d👧\u200d👦",
    "❤\ufe0f\u200d🔥",
    "🏳\ufe0f\u200d🌈",
    "ada 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1\ufe0f\u20e3",
    "葛\U000e0100",
    "می\u200cخواهم",
    "क\u094d\u200dष",
    "क\u094d\u200cष",
    "അവന\u0d4d\u200d",
    "\u0600123",
    "\u09b0\u200d\u09cd\u09af\u09be\u09ac",  # Bengali
    "\u0cb0\u200d\u0ccd\u0caf",  # Kannada
    "\u0931\u200d\u094d\u092f",  # Marathi
    "\u0931\u094d\u200d\u092f",
    "\u0647\u200d",  # Persian
    "\u0642 \u0647\u200d. 1403",
    "\u200d\u0647",
    "\u0647\u064e\u200d",
    "\u182e\u1823\u1829\u182d\u1823\u182f\u180e\u1820",  # Mongolian
]
UNSEEN = {
    "\u0628\u200d\u0647": "\u0628\u0647",  # they join by themselves
    "\u0647\u200d\u200d": "\u0647\u200d",
    "\u0627\u200d": "\u0627",  # an alef joins nothing behind it
    "\u0647\u200c": "\u0647",
    "\u09b0\u200d": "\u09b0",
    "ada\u180ea": "adaa",
    "\u182e\u180e": "\u182e",
}


@pytest.mark.parametrize("hidden", HIDDEN, ids=[f"U+{ord(each):04X}" for each in HIDDEN])
@pytest.mark.parametrize("namespace", ["user_id", "anonymous_id", "device_id", "loyalty_id"])
def test_a_character_that_nobody_sees_makes_nobody_else(namespace: str, hidden: str):
    for spelt in (f"{hidden}ada", f"ada{hidden}", f"a{hidden}da", f" {hidden} ada {hidden} ", f"ada{hidden * 300}"):
        assert canonical(namespace, spelt) == "ada"
    assert canonical_if_any(namespace, hidden * 3) == ""
    assert canonical_if_any(namespace, f"nu{hidden}ll") == "", "nor does it make somebody of a word for nothing"


def test_an_address_that_was_copied_with_its_marks_is_the_address():
    assert canonical("email", "\u202aAda\u200b@example.com\u202c") == "ada@example.com"
    assert canonical("phone", "\u202a+49 171 1234567\u202c") == "+491711234567"
    with pytest.raises(InvalidInput):
        canonical("email", "\u3164")


@pytest.mark.parametrize("shown", SHOWN, ids=ascii)
def test_what_shows_stays(shown: str):
    assert canonical("user_id", shown) == unicodedata.normalize("NFC", shown)


@pytest.mark.parametrize("spelt", UNSEEN, ids=ascii)
def test_a_joiner_that_changes_nothing_is_not_seen(spelt: str):
    assert canonical("user_id", spelt) == UNSEEN[spelt]


def test_two_ways_to_write_one_letter_are_one():
    assert (
        canonical("user_id", "Jose\u0301") == canonical("user_id", "José") == canonical("user_id", "Jos\u200be\u0301")
    )


ALPHABET = st.sampled_from([*"ada1#👩💻🏴❤\u20e3\u0301ेक\u094dमیآ葛\ud800🏽\U000e0067\U000e007f\U000e0100", *HIDDEN])


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=ALPHABET, max_size=12) | st.text(max_size=12))
def test_a_name_that_was_made_visible_stays_as_it_is(text: str):
    seen = visible(text)
    assert visible(seen) == seen
    assert visible(f"\ufeff{text}\u200b") == seen
