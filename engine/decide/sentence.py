"""Why a customer sees something, said to the customer: one sentence from what the action asks of them
(`docs/design/customer-words.md`).

An action may say it in its own words (`because`). Else the sentence names the conditions that are true of this
customer, and leaves out the negated ones. No condition can read a sensitive trait (`engine.catalog.checks.sensitive`),
so the sentence names none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.compiled import Action
from engine.conditions.binding import Tree
from engine.conditions.predicates import build
from engine.contact import consents
from engine.explain.in_words import span
from engine.values.absence import is_absent
from engine.view import View


def because(view: View, action: Action, channel: str) -> str:
    """A sentence for the customer."""
    if action.because:
        return action.because
    reasons = [said for tree in action.eligible for said in _said(view, tree)]
    basis = consents.basis(view.profile, view.catalog, action.purpose, channel, action.tier)
    if basis not in (None, consents.NOT_NEEDED, consents.BY_DEFAULT):
        reasons.append(f"you agreed to {action.purpose} on {channel}")
    return f"You see this because {_joined(reasons)}." if reasons else "Everybody may see this here."


def _said(view: View, tree: Tree) -> Iterator[str]:
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        for part in body:
            if build(part)(view):
                yield from _said(view, part)
    elif word == "event":
        yield from _event(body)
    elif word == "trait" and (trait := view.profile.traits.get(body["name"].split(".")[0])) is not None:
        value = trait.value
        if is_absent(value):
            return
        known = f" is {value}" if isinstance(value, str | int | float) and not isinstance(value, bool) else " is known"
        yield f"your {body['name'].replace('_', ' ')}{known}"
    elif word == "segment":
        yield f"you belong to “{body}”"


def _event(body: Mapping[str, Any]) -> Iterator[str]:
    least = (body.get("count") or {"at_least": 1}).get("at_least", 0)
    if not least:
        return
    where = ", ".join(
        f"{path.split('.')[-1]} {test}" for path, test in (body.get("where") or {}).items() if _is_plain(test)
    )
    often = "" if least == 1 else f" at least {least} times"
    within = f" in the last {span(body['within'])}" if "within" in body else ""
    yield f"there was “{body['name']}”{f' ({where})' if where else ''}{often}{within}"


def _is_plain(test: Any) -> bool:
    return isinstance(test, str | int | float) and not isinstance(test, bool)


def _joined(reasons: list[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    return distinct[0] if len(distinct) == 1 else f"{', '.join(distinct[:-1])} and {distinct[-1]}"
