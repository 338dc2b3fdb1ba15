"""What was probably meant by a word that is none of those that there are."""

from __future__ import annotations

import pytest

from engine.values.nearest import meant, nearest

FIELDS = ["userId", "anonymousId", "placement", "requestId", "limit"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("user_id", "userId"),
        ("UserID", "userId"),
        ("user-id", "userId"),
        ("anonymousID", "anonymousId"),
        ("placment", "placement"),
        ("request id", "requestId"),
        ("limt", "limit"),
        ("userId", None),
        ("colour", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_a_word_is_near_whatever_its_case_its_joints_and_a_letter(word: str, near: str | None):
    assert nearest(word, FIELDS) == near


def test_what_there_is_is_named_and_not_without_end():
    assert meant("home_herro", ["home_hero", "banner"]) == "did you mean home_hero? there are: banner, home_hero"
    assert meant("zzz", ["b", "a"]) == "there are: a, b"
    assert meant("zzz", []) == "there are none"
    assert meant("zzz", [f"place_{n}" for n in range(5_000)]).endswith(", …")
    assert len(meant("zzz", [f"{'x' * 90}{n}" for n in range(50)])) < 300
    assert len(meant("zzz", ["x" * 5_000])) < 300
