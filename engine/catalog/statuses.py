"""Which journeys and actions may go on: the statuses of their files, those that the operator set, and their ends
(`docs/decisions/0019-what-may-go-on-is-for-the-catalog-that-stands.md`).

The operator's statuses are in the document beside the files, as `operator.yaml`, so the version that a journal names
includes them. The stricter status holds: live, paused, draft, stopped. A journey or action that is stopped or taken
away has ended for everybody in it. Each end begins a new round, which `operator.yaml` counts. Runs and sends of an
earlier round are over, even after their journey or action has come back.

A run and a send take texts and steps from the catalog that they name. The active catalog says whether they may go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, get_args

from engine.catalog.compiled import Action, Catalog, Journey
from engine.catalog.document import Document, in_folder
from engine.catalog.editing import documents
from engine.catalog.programs.instructions import WEBHOOKS
from engine.catalog.schema.files import OPERATOR, Word
from engine.errors import InvalidInput, NotFound
from engine.profile import Run, Send
from engine.values.nearest import meant
from engine.vocabulary import Status

OF_JOURNEY: Final = {"paused": "journey.paused", "draft": "journey.draft", "stopped": "journey.stopped"}
OF_ACTION: Final = {
    "paused": "status.paused",
    "draft": "status.draft",
    "stopped": "status.stopped",
    "removed": "status.removed",
}
_FOLDERS: Final = ("journeys", "actions")
_FROM_LIVE: Final[tuple[Status, ...]] = get_args(Status)  # from the mildest to the strictest

Spoken = dict[str, dict[str, dict[str, Any]]]


def ruled(part: Any, status: Status, words: Mapping[str, Word]) -> Any:
    """A compiled journey or action with the status that holds for it; `status` is that of its file."""
    word = words.get(part.id) or Word()
    return replace(part, status=max(status, word.status, key=_FROM_LIVE.index), round=word.round)


# The document: the operator's words, and the rounds


def carried(
    was: Document | None, following: Document, rules: Mapping[str, documents.Rule] = MappingProxyType({})
) -> dict[str, Any]:
    """The document that replaces `was`: the files of `following`, and the operator's words so far. A journey or action
    of `was` that `following` does not have, or has stopped, has ended. `rules` say what becomes of whoever is inside a
    journey that has changed; one that is not there is as its file says."""
    spoken = _spoken(was or {})
    for folder in _FOLDERS:
        before, after = (_statuses(document, folder) for document in (was or {}, following))
        for name, status in before.items():
            if status != "stopped" and after.get(name, "stopped") == "stopped":
                _end(spoken, folder, name)
    documents.number(was or {}, following, spoken["journeys"], rules)
    return _with(following, spoken)


def said(document: Document, journey: str, status: Status) -> dict[str, Any]:
    """The document after the operator set the status of a journey; `live` takes an earlier status back. Raises NotFound
    for a journey that is not there, InvalidInput where its file keeps it from going on."""
    files = _statuses(document, "journeys")
    if journey not in files:
        raise NotFound(f"there is no journey {journey}; {meant(journey, files)}", "journey")
    if status == "live" and files[journey] != "live":
        raise InvalidInput(f"its file says {files[journey]}: change it there", "journey")
    spoken = _spoken(document)
    word = spoken["journeys"].setdefault(journey, {})
    if status == "stopped" and "stopped" not in (files[journey], word.get("status")):
        _end(spoken, "journeys", journey)
    word["status"] = status
    return _with(document, spoken)


def listed(document: Document) -> list[dict[str, str]]:
    """Each journey of a document with the status that holds, what its file says, and what the operator says."""
    words, rows = _spoken(document)["journeys"], []
    for name, status in sorted(_statuses(document, "journeys").items()):
        operator = words.get(name, {}).get("status", "live")
        holds = max(status, operator, key=_FROM_LIVE.index)
        rows.append({"journey": name, "status": holds, "file": status, "operator": operator})
    return rows


def files_of(document: Document) -> dict[str, Any]:
    """The document as its directory has it, without the file that the engine keeps in it."""
    return {file: data for file, data in document.items() if file != OPERATOR}


def _statuses(document: Document, folder: str) -> dict[str, Any]:
    """The status of each file, by id."""
    return {data["id"]: data.get("status", "live") for data in in_folder(document, folder).values() if "id" in data}


def _spoken(document: Document) -> Spoken:
    found = document.get(OPERATOR) or {}
    return {folder: {name: dict(word) for name, word in found.get(folder, {}).items()} for folder in _FOLDERS}


def _end(spoken: Spoken, folder: str, name: str) -> None:
    word = spoken[folder].setdefault(name, {})
    word["round"] = word.get("round", 0) + 1


def _with(document: Document, spoken: Spoken) -> dict[str, Any]:
    """The files with the operator's words; without `operator.yaml` where there are none."""
    told: Spoken = {}
    for folder, words in spoken.items():
        for name, word in words.items():
            if said := {key: value for key, value in word.items() if value != "live"}:
                told.setdefault(folder, {})[name] = said
    return files_of(document) | ({OPERATOR: told} if told else {})


# The catalog: who may go on


def ended(catalog: Catalog, journey: str, version: str) -> str:
    """The reason for which a run that entered a journey under `version` is over; empty where it is not."""
    active = catalog.journeys.get(journey)
    if active is None:
        return "journey.removed"
    entered: Journey | None = catalog.of_version(version).journeys.get(journey)
    if active.status == "stopped" or (entered is not None and entered.round != active.round):
        return OF_JOURNEY["stopped"]
    return ""


def paused(catalog: Catalog, journey: str) -> str:
    """The reason for which everybody in a journey waits; empty where nobody has to."""
    active = catalog.journeys.get(journey)
    return OF_JOURNEY[active.status] if active is not None and active.status in ("paused", "draft") else ""


def waits(catalog: Catalog, run: Run) -> str:
    """The reason for which a run waits for something to be resumed; empty where it does not."""
    reason = paused(catalog, run.journey)
    if reason or run.held != OF_ACTION["paused"]:
        return reason
    journey = catalog.of_version(run.version).journeys.get(run.journey)
    if journey is None or run.position >= len(journey.steps):
        return ""
    asked = (_action_paused(catalog, name) for name in journey.steps[run.position].sending.actions)
    return next((reason for reason in asked if reason), "")


def send_waits(catalog: Catalog, send: Send) -> str:
    """The reason for which a send waits for something to be resumed; empty where it does not."""
    return paused(catalog, send.journey) or _action_paused(catalog, send.action)


def send_ended(catalog: Catalog, send: Send, now_ms: int) -> str:
    """The reason for which a send must not leave any more; empty where it may."""
    gone = ended(catalog, send.journey, send.version)
    if gone or send.channel == WEBHOOKS:  # a call has no action
        return gone
    action = catalog.actions.get(send.action)
    if action is None:
        return OF_ACTION["removed"]
    if action.status in ("draft", "stopped"):
        return OF_ACTION[action.status]
    if action.round != send.round:
        return OF_ACTION["stopped"]
    if action.valid_from_ms is not None and now_ms < action.valid_from_ms:
        return "validity.not_yet"
    if action.valid_until_ms is not None and now_ms >= action.valid_until_ms:
        return "validity.over"
    return ""


def as_it_stands(catalog: Catalog, action: Action) -> Action:
    """An action of an older catalog with the status, the dates and all that consent depends on of the active one; with
    `texts: current` with its texts too."""
    now = catalog.actions.get(action.id)
    if now is action:
        return action
    if now is None:
        return replace(action, status="removed")
    made = replace(
        action,
        status=now.status,
        round=now.round,
        tier=now.tier,
        purpose=now.purpose,
        valid_from_ms=now.valid_from_ms,
        valid_until_ms=now.valid_until_ms,
        texts=now.texts,
    )
    return replace(made, variants=now.variants, channels=now.channels) if now.texts == "current" else made


def _action_paused(catalog: Catalog, action: str) -> str:
    active = catalog.actions.get(action)
    return OF_ACTION["paused"] if active is not None and active.status == "paused" else ""


def is_word(ended_by: str) -> bool:
    """Whether the catalog's word on its journey ended a run, and nothing that the customer did."""
    return ended_by in ("journey.removed", "journey.edited") or ended_by in OF_JOURNEY.values()
