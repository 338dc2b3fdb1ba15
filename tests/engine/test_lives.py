"""The lives of sends and runs: nothing leaves its table, every arrow is taken, and the page shows what the code has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.world import DAY, HOUR, MINUTE, World, action, compiled, document

from engine import limits
from engine.inputs import Authorise, Settle
from engine.journeys.life import RUN, state_of
from engine.profile import Profile, Run, Send
from engine.sends import life as send_life
from engine.sends.life import SEND
from engine.transitions import BEGIN, InvalidTransition, Life
from engine.turn import handle
from engine.vocabulary import FINAL_STATES, SendState

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/design/lives.md"
OWNERS = {"engine/sends/life.py", "engine/journeys/life.py", "engine/turn_state.py"}


# -- the tables


def test_a_send_ends_in_the_final_states_of_the_vocabulary():
    ends = {state for state in SEND.arrows.values() if state not in {begin for begin, _ in SEND.arrows}}
    assert ends == FINAL_STATES - {"expired"}, "nothing expires: it is withdrawn"
    assert set(SEND.arrows.values()) < set(SendState.__args__)


def test_what_a_table_does_not_have_is_refused():
    with pytest.raises(InvalidTransition, match="a send that is handing_over cannot withdraw"):
        SEND.after("handing_over", "withdraw")
    assert issubclass(InvalidTransition, AssertionError), "a fault of ours: the turn is undone"


def test_what_is_being_handed_over_cannot_be_called_back():
    world = World(LETTERS)
    ada = told(world)
    (send,) = ada.profile.sends
    profile = ada.profile
    send_life.advance(profile, profile.sends[0], "authorise")
    with pytest.raises(InvalidTransition):
        send_life.advance(profile, profile.sends[0], "withdraw")
    assert [known.id for known in profile.sends] == [send.id]


@pytest.mark.parametrize("life", [SEND, RUN], ids=lambda life: life.of)
def test_the_page_shows_the_table(life: Life):
    assert life.diagram() in PAGE.read_text("utf-8"), f"docs/design/lives.md should have:\n\n{life.diagram()}\n"


# -- nobody else gives a state, or takes a send or a run out of its profile


CHANGES = {"append", "extend", "insert", "remove", "pop", "clear"}
KEPT = {"sends", "runs"}


def changes_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a module changes a state, the timer of a run, or one of the two lists."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = [part for each in node.targets for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        for target in targets:
            at = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(at, ast.Attribute) and at.attr in {"state", "due_ms", *KEPT} and at.attr != "self":
                yield node.lineno, at.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = node.func.value
            if node.func.attr in CHANGES and isinstance(on, ast.Attribute) and on.attr in KEPT:
                yield node.lineno, on.attr
            if node.func.attr in {"set_timer", "drop_timer"}:
                yield node.lineno, node.func.attr
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            names = node.args[1]
            if isinstance(names, ast.Constant) and names.value in {"state", "due_ms", *KEPT}:
                yield node.lineno, names.value


def test_the_test_sees_what_it_looks_for():
    seen = ast.parse(
        "send.state, send.room = 'sent', ''\nrun.due_ms = 1\nprofile.sends[:] = []\nprofile.runs.append(run)\n"
        "turn.set_timer(run, 1, 's', 'set')\ndel profile.runs[0]\nsetattr(run, 'state', 'stopped')"
    )
    assert {line for line, _ in changes_of(seen)} == {1, 2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize("module", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("engine/**/*.py")))
def test_only_the_two_lives_change_a_state(module: str):
    found = list(changes_of(ast.parse((ROOT / module).read_text("utf-8"))))
    assert not found or module in OWNERS, found


# -- every arrow is taken

LETTERS: dict[str, Any] = document(
    channels={
        "channels": [
            {"id": "web", "provider": "none"},
            {"id": "email", "provider": "sandbox", "address": "email"},
            {"id": "sms", "provider": "sandbox"},
        ]
    },
    consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": ["Consent Updated"]},
    actions=[action("letter", channels=["sms"])],
    journeys=[
        {
            "id": "way",
            "tier": "promotional",
            "trigger": {"event": "Told"},
            "re_entry": {"concurrent": 3},
            "steps": [
                {"wait": {"for": "1h", "reset_on": ["Again"]}},
                {"send": {"action": "letter", "channel": "sms"}},
                {"wait_for": {"event": "Answered", "within": "2h", "on_event": "over", "on_timeout": "over"}},
                {"id": "over", "wait": {"for": "1h", "late": "drop", "drop_if_late": "1m"}},
            ],
        }
    ],
    policies={"stops": [{"id": "bought", "on": "Bought"}]},
)


def told(world: World) -> Any:
    """Somebody of whom a letter is decided and not handed over."""
    ada = world.customer("ada")
    return ada
