"""Shows a message as it was handed over to a customer, found again in the journal.

No message is stored. The turn that authorised it is in the journal; repeated with the state and the catalog of then, it
gives the very same message. The tokens that make its links work are left out, because its reader here is not the
customer. A journal is kept for as long as the catalog says. After that the message is gone, and the answer says so.
"""

from __future__ import annotations

from typing import Any, Final

from actors.shard.journal import replay
from actors.shard.state import ShardState
from engine import audit, effects
from engine.errors import NotFound
from engine.inputs import AnyInput, Authorise, Settle
from engine.profile import Profile
from engine.texts.language import with_mentioned

NOT_LIVE: Final = "not-shown"  # in the place of every token
_TRIED_AGAIN: Final = ("retry", "not_begun")  # outcomes after which a send is authorised once more


def of_send(state: ShardState, profile: Profile, send_id: str) -> dict[str, Any]:
    """The timeline's facts of a send, with its message where this profile's own journal has it. `origins` are the
    profiles that were merged into this one: the message may be in a journal of theirs.

    Raises NotFound for a send that is not this customer's.
    """
    entries = (audit.open_entry(value)[1] for _, value in state.records("audit", profile.id))
    known = [entry for entry in entries if entry.kind == "send" and entry.detail.get("send") == send_id]
    if not known:
        raise NotFound("no message of this customer has this id", "sendId")
    last = known[-1]
    return {
        "profileId": profile.id,
        "sendId": send_id,
        "channel": last.channel,
        "journey": last.journey,
        "action": last.action,
        "outcome": last.outcome,
        "reason": last.reason,
        "origins": [past.origin for past in profile.ledger],
        "found": handed_over(state, profile.id, send_id),
    }


def handed_over(state: ShardState, place: str, send_id: str) -> dict[str, Any]:
    """`message` is the one that a dispatcher was given last for this send, without its tokens. Where it cannot be
    recovered, it is None and `missing` says why."""
    message: dict[str, Any] | None = None
    try:
        for entry, asked in replay.turns(state.batch, place, state.catalogs):
            if isinstance(entry.told, Authorise) and entry.told.send_id == send_id:
                message = _authorised(asked) or message
            if message is not None and _is_over(entry.told, send_id):
                break
    except NotFound as gone:
        return {"message": None, "missing": gone.message}
    if message is None:
        return {"message": None, "missing": "the journal does not hold the hand-over of this message"}
    return {"message": _shown(state, message), "missing": ""}


def _is_over(told: AnyInput, send_id: str) -> bool:
    return isinstance(told, Settle) and told.send_id == send_id and told.outcome not in _TRIED_AGAIN


def _authorised(asked: list[effects.Effect]) -> dict[str, Any] | None:
    answers = [effect.value for effect in asked if isinstance(effect, effects.Answer)]
    return next((answer["message"] for answer in answers if answer["authorised"]), None)


def _shown(state: ShardState, message: dict[str, Any]) -> dict[str, Any]:
    """The message with the templates that it needs, and without the tokens that open a customer's own pages."""
    content = dict(message["content"])
    catalog = state.catalogs.get(message["version"])
    if "templates" not in content and catalog is not None:
        named = [content[part] for part in ("template", "text") if part in content]
        content["templates"] = with_mentioned(catalog.templates, named)
    confirm = NOT_LIVE if message["confirm"] else ""
    return {**message, "content": content, "opt_out": NOT_LIVE, "confirm": confirm, "link": {}}
