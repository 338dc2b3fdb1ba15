"""What counts as nothing, wherever it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine.values.absence import is_absent


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        [],
        {},
        "\t\n",
        "\u200b",
        "\ufeff",
        " \u00a0\u2060",
        "undefined",
        " null ",
        "NaN",
        "[object Object]",
        "\u3164",
        "\uffa0 \u115f",
        "\ufe0f",
        "\u200bnull",
        "\ufeffundefined\u3164",
    ],
)
def test_what_says_nothing_is_absent(value: Any):
    assert is_absent(value)


@pytest.mark.parametrize(
    "value", [0, False, 0.0, "0", "false", "Null", "None", "-", ".", [None], {"a": None}, "Nan", "ㅤa", "ñull", "한"]
)
def test_what_says_something_is_there(value: Any):
    assert not is_absent(value)
