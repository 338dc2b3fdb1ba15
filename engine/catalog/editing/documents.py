"""Numbers the edits of journeys in the document that is active, so that each customer inside makes all of them.

Who is inside moves on at their next turn, and a journey may be edited again before that. So the document keeps, in
`operator.yaml`, every edit that moves or stops somebody, with a number and the rule that was stated for it. A run has
still to make the edits with a number above that of the catalog that it names. An edit that lets everybody finish
changes nobody's way and leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.catalog.document import Document, actions, canonical, in_folder, texts, version_of

EDITS_KEPT: Final = 16  # of one journey; who has been away for longer makes those that are left
_NOT_OF_STEPS: Final = ("status", "on_edit")
# What the active catalog says of an action, whatever version a run is in (`statuses.as_it_stands`).
_NOT_OF_RUNS: Final = ("status", "valid", "tier", "purpose", "texts")
_TEXTS: Final = ("variants", "channels")

Rule = Mapping[str, Any]  # `rest` and `map`, as `EditRule` has them


def number(was: Document, following: Document, words: dict[str, dict[str, Any]], rules: Mapping[str, Rule]) -> None:
    """Add the edits that `following` makes to the words of journeys, in place. `rules` are those that somebody stated
    beside the files, by journey."""
    before, after = _by_id(was), _by_id(following)
    edited = [name for name in before if name in after and is_edited(was, following, name)]
    if not edited:
        return
    version = version_of(canonical(was))
    for name in edited:
        edits = [dict(edit) for edit in words.get(name, {}).get("edits", ())]
        if edits and not edits[-1].get("version"):
            edits[-1]["version"] = version
        rule = rules.get(name) or stated(after[name])
        if rule["rest"] != "finish" or rule["map"]:
            edits.append({"number": edits[-1]["number"] + 1 if edits else 1, "rest": rule["rest"], "map": rule["map"]})
        if edits:
            words.setdefault(name, {})["edits"] = edits[-EDITS_KEPT:]


def is_edited(was: Document, following: Document, journey: str) -> bool:
    """Whether somebody inside a journey would go another way, or get other texts, in the following document."""
    return bool(_program(was, journey) != _program(following, journey))


def stated(written: Mapping[str, Any]) -> Rule:
    """The rule of a journey's own file; to finish where it states none."""
    said = written.get("on_edit", "finish")
    rule: Mapping[str, Any] = {"rest": said} if isinstance(said, str) else said
    return {"rest": rule.get("rest", "finish"), "map": dict(rule.get("map", {}))}


def _by_id(document: Document) -> dict[str, Mapping[str, Any]]:
    return {data["id"]: data for data in in_folder(document, "journeys").values() if isinstance(data.get("id"), str)}


def _program(document: Document, journey: str) -> Any:
    """All that the catalog of a run's own version says to it: its journey, the actions that this names, their texts."""
    written = _by_id(document).get(journey, {})
    known = actions(document)
    named = sorted({name for _, name in texts(written.get("steps"), ()) if name in known})
    own = {key: value for key, value in written.items() if key not in _NOT_OF_STEPS}
    return own, [_of_run(document, known[name]) for name in named]


def _of_run(document: Document, action: Mapping[str, Any]) -> Any:
    left_out = _NOT_OF_RUNS + (_TEXTS if action.get("texts") == "current" else ())
    own = {key: value for key, value in action.items() if key not in left_out}
    templates = (
        document.get(f"templates/{name}") for name in sorted({name for _, name in texts(own.get("variants"), ())})
    )
    return own, [text for text in templates if text is not None]
