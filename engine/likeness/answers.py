"""Takes in what is said about others who may be the same person, and what the answer of somebody who looked does."""

from __future__ import annotations

from engine.errors import InvalidInput
from engine.identity import claims
from engine.inputs import AnyInput, Candidate, Join, Resembles, Reviewed, Split, Suspect, Unlike
from engine.likeness import links, questions
from engine.parts.of_identity import ReviewEntry
from engine.turn_state import Turn


def hear(turn: Turn, told: AnyInput) -> None:
    """Handle what matching, another profile or a person says about a likely link."""
    match told:
        case Suspect():
            links.suspect(turn, told)
        case Resembles():
            links.resembles(turn, told)
        case Unlike():
            links.unlike(turn, told)
        case Candidate():
            questions.hear(turn, told)
        case Reviewed():
            decide(turn, told)


def decide(turn: Turn, told: Reviewed) -> None:
    """Apply an answer. A yes to a candidate or to a refused merge joins both profiles, and limits and shared values do
    not stand in the way of it; a yes to an offered split undoes its merge. A no to a candidate is remembered by
    both. Raises InvalidInput for an answer that cannot be, and leaves the entry open."""
    entry = told.entry
    if entry.state != "open":
        raise InvalidInput(f"was {entry.state} before", "id")
    if told.accepted and entry.kind == "candidate" and entry.other in turn.profile.unlike:
        raise InvalidInput("was dismissed before", "id")
    if told.accepted and entry.kind == "merge":
        _check_merge(entry, told)
    if told.accepted and entry.kind in ("candidate", "merge") and entry.other:
        claims.join(turn, Join(other=entry.other, source=told.by, review=entry.id, force=told.force))
    elif told.accepted and entry.kind == "split" and entry.merge_id:
        turn.tell(turn.profile.id, Split(merge_id=entry.merge_id, reason="review"))
    elif not told.accepted and entry.kind == "candidate":
        questions.close(turn, entry.other, but=entry.id)
        links.fall(turn, entry.other, said=True)
    questions.settle(turn, told, "accepted" if told.accepted else "dismissed")


def _check_merge(entry: ReviewEntry, told: Reviewed) -> None:
    if entry.reason == "identity.blocked":
        raise InvalidInput(f"a blocked {entry.namespace} joins nobody: dismiss it, or change identity.yaml", "id")
    if entry.reason == "identity.unique" and not told.force:
        raise InvalidInput(f"both have a {entry.namespace}, and a person has only one: accepting needs force", "force")
