"""What `segue profile --explain` prints of an answer of `/why`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from serve.commands.running.profile import _print_why


def _printed(**gate: Any) -> str:
    console = Console(record=True, width=160, color_system=None)
    row = {"channel": "web", "placement": "home_hero", "wouldGo": False} | gate
    _print_why(console, [{"actionId": "offer", "tier": "promotional", "gates": [row]}])
    return console.export_text()


def test_a_no_is_printed_with_the_part_of_the_condition_behind_it():
    part = {"path": "eligible.all[2].trait.tier", "wanted": 'is one of ["gold"]', "saw": '"[red]silver"'}
    printed = _printed(reason="eligibility", condition=part)
    assert 'eligible.all[2].trait.tier is one of ["gold"]: saw "[red]silver"' in printed


def test_of_several_parts_each_is_printed():
    parts = [{"path": f"eligible.any[{n}].trait.t", "wanted": "exists", "saw": "nothing"} for n in (1, 2)]
    whole = {"path": "eligible.any", "wanted": "one that holds", "saw": "none holds", "parts": parts}
    printed = _printed(reason="eligibility", condition=whole)
    assert "any[1].trait.t exists: saw nothing" in printed and "any[2].trait.t exists: saw nothing" in printed


def test_a_reason_without_a_condition_stands_alone():
    assert "cap.email_weekly\n" in _printed(reason="cap.email_weekly").replace(" ", "")
