"""What the answer of a person to a question of the review queue does."""

from __future__ import annotations

from engine.errors import InvalidInput
from engine.identity import claims
from engine.inputs import Join, Reviewed, Split
from engine.likeness import links, questions
from engine.turn_state import Turn


def decide(turn: Turn, told: Reviewed) -> None:
    """Apply an answer. A yes to a candidate or to a refused merge joins both profiles, and limits and shared values do
    not stand in the way of it; a yes to an offered split undoes its merge. A no to a candidate is remembered by
    both."""
    entry = told.entry
    if entry.state != "open":
        raise InvalidInput(f"was {entry.state} before", "id")
    if told.accepted and entry.kind in ("candidate", "merge") and entry.other:
        claims.join(turn, Join(other=entry.other, source=told.by, review=entry.id, force=told.force))
    elif told.accepted and entry.kind == "split" and entry.merge_id:
        turn.tell(turn.profile.id, Split(merge_id=entry.merge_id, reason="review"))
    elif not told.accepted and entry.kind == "candidate":
        links.fall(turn, entry.other, said=True)
    questions.settle(turn, told, "accepted" if told.accepted else "dismissed")
