"""What the answer of a person to a question of the review queue does."""

from __future__ import annotations

from engine.errors import InvalidInput
from engine.inputs import Reviewed
from engine.likeness import joining, links, questions
from engine.turn_state import Turn


def decide(turn: Turn, told: Reviewed) -> None:
    """Apply an answer. A yes to a candidate or to a refused merge joins both profiles, by the rules of every merge. A
    no to a candidate is remembered by both."""
    entry = told.entry
    if entry.state != "open":
        raise InvalidInput(f"was {entry.state} before", "id")
    if told.accepted and entry.kind in ("candidate", "merge") and entry.other:
        if not joining.join(turn, entry.other, entry.confidence or 1.0, told.by):
            raise InvalidInput("too many places point to this profile already", "id")
    elif not told.accepted and entry.kind == "candidate":
        links.fall(turn, entry.other, said=True)
    questions.settle(turn, told, "accepted" if told.accepted else "dismissed")
