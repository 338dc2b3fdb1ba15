"""`segue identity review`: what a running engine asks about who is who, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from engine.errors import NotFound, UsageError
from serve.commands import screen
from serve.commands.running import asking
from serve.demo.replayer import EngineClient

_PATH: Final = "/v1/identity/reviews"
_QUESTIONS: Final[Mapping[str, str]] = {
    "candidate": "one person?",
    "merge": "join, though it was refused?",
    "split": "undo this merge?",
    "shared": "shared by several people",
}
_SHOWN: Final = ("firstName", "lastName", "name", "email", "phone", "birthday", "address")  # with --show


def review(
    kind: Annotated[str, typer.Option("--kind", help="candidate, merge, split or shared alone.")] = "",
    state: Annotated[str, typer.Option("--state", help="open, accepted, dismissed, closed or all.")] = "open",
    accept: Annotated[str, typer.Option("--accept", metavar="ID", help="Say yes to this one.")] = "",
    dismiss: Annotated[str, typer.Option("--dismiss", metavar="ID", help="Say no; it is not asked again.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="With --accept: though both have a value that a person has once.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Show what is known of both: personal data.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many, the newest first.")] = 50,
    url: asking.Url = asking.HERE,
) -> None:
    """List what is asked about who is who, with how sure it is and why, or answer one of it (SEGUE_SERVER_KEY)."""
    if accept and dismiss:
        raise UsageError("cannot be used with --dismiss", "--accept")
    if force and not accept:
        raise UsageError("needs --accept", "--force")
    console = screen.console()
    with asking.engine(url) as client:
        if chosen := accept or dismiss:
            told = client.post(f"{_PATH}/{chosen}", {"action": "accept" if accept else "dismiss", "force": force})
            console.print(f"{told['id']}: {told['state']}")
            return
        wanted = {"state": state, "limit": limit} | ({"kind": kind} if kind else {})
        found = client.get(_PATH, **wanted)["reviews"]
        console.print(table(found) if found else "nothing is asked")
        if show:
            for each in found:
                console.print(side_by_side(client, each))


def table(found: list[dict[str, Any]]) -> Table:
    """The entries without any personal data."""
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("id", "at", "question", "profiles", "how sure", "why"):
        shown.add_column(column, no_wrap=column == "id")
    for each in found:
        profiles = "\n".join(filter(None, (each["profileId"], each["otherId"])))
        sure = f"{each['confidence']:.1%}" if each["confidence"] else "–"
        question = _QUESTIONS[each["kind"]] + ("" if each["state"] == "open" else f" ({each['state']})")
        shown.add_row(*(escape(text) for text in (each["id"], each["at"], question, profiles, sure, why(each))))
    return shown


def why(each: Mapping[str, Any]) -> str:
    """What speaks for an entry and what against it, in words: the strongest first."""
    if not each["why"]:
        about = each["namespace"].replace("_", " ")
        told = f", said by the write key {each['source']} alone" if each["public"] else ""
        return f"{each['reason']}{f', by {about}' if about else ''}{told}"
    ordered = sorted(each["why"], key=lambda one: -abs(one["bits"]))
    said = (f"{one['comparison'].replace('_', ' ')} {one['level']}" for one in ordered)
    against = ("" if one["bits"] >= 0 else " (against)" for one in ordered)
    return ", ".join(f"{words}{mark}" for words, mark in zip(said, against, strict=True))


def side_by_side(client: EngineClient, each: Mapping[str, Any]) -> Table:
    """The traits of both profiles that matter most, and their identifiers."""
    shown = Table(title=each["id"], title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", each["profileId"], each["otherId"] or "–"):
        shown.add_column(column)
    both = [_known(client, profile) for profile in (each["profileId"], each["otherId"])]
    for name in dict.fromkeys(name for known in both for name in known):
        shown.add_row(name, *(escape(known.get(name, "–")) for known in both))
    return shown


def _known(client: EngineClient, profile: str) -> dict[str, str]:
    if not profile:
        return {}
    try:
        found = client.get(f"/v1/profiles/profile_id:{profile}")
    except NotFound:
        return {}
    known = {name: str(found["traits"][name]) for name in _SHOWN if name in found["traits"]}
    for link in found["identifiers"]:
        known[link["namespace"]] = "\n".join(filter(None, (known.get(link["namespace"]), link["value"])))
    return known
