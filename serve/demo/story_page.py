"""The page that a demonstration ends with, under six headings."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table

from serve.demo import story
from serve.demo.mail_server import MailServer
from serve.demo.replayer import Totals
from serve.demo.story import Conversion, Person

_ENTRIES = 40
_STYLES = dict.fromkeys(("withdrawn", "held", "stopped", "not_entered"), "yellow") | {
    "sent": "green",
    "simulated": "green",
    "absorbed": "cyan",
}
_PROOFS = 3
_RULE_COLUMNS_MAX = 100


def heading(console: Console, text: str) -> None:
    """Print one of the headings."""
    console.print()
    console.print(Rule(f"[bold]{text}", align="left"), width=min(console.width, _RULE_COLUMNS_MAX))


def totals(console: Console, done: Totals, status: dict[str, Any], seconds: float, mail_server: MailServer) -> None:
    """How many events went in, and what became of them."""
    heading(console, "Totals")
    table = Table.grid(padding=(0, 3))
    profiles = sum(shard["profiles"] for shard in status["shards"])
    sends = {name: count for name, count in status["sends"].items() if count}
    rows = (
        ("events", f"{done.accepted:,} accepted, {done.repeated:,} repeated, {len(done.rejected):,} rejected"),
        ("replayed in", f"{seconds:,.0f} s, {done.lines / max(seconds, 0.001):,.0f} events/s, to {done.now[:16]}"),
        ("profiles", f"{profiles:,} after linking, on {len(status['shards'])} shards"),
        ("intended sends", ", ".join(f"{count:,} {name}" for name, count in sends.items()) or "none"),
        ("mailbox", f"{len(mail_server.mails):,} e-mails arrived over SMTP"),
        ("pending", f"{status['timers']['pending']:,} timers"),
    )
    for name, value in rows:
        table.add_row(f"[dim]{name}", value)
    console.print(table)


def one_customer(console: Console, person: Person | None) -> None:
    """A path over several channels, with a reason at each step."""
    heading(console, "One customer")
    if person is None:
        console.print("nobody is known by a user id")
        return
    names = ", ".join(f"{link['namespace']}:{link['value']}" for link in person.profile["identifiers"])
    console.print(f"[dim]{escape(names)}", soft_wrap=True)
    path_of(console, person.entries)


def path_of(console: Console, entries: list[dict[str, Any]]) -> None:
    """The newest entries of a timeline, oldest first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("when", "channel", "what", "what became of it, and why"):
        table.add_column(column)
    skipped = max(0, len(entries) - _ENTRIES)
    for row in entries[skipped:]:
        table.add_row(*_cells(row))
    if skipped:
        console.print(f"[dim]… {skipped} earlier entries")
    console.print(table)


def one_decision(console: Console, placement: str | None, decision: dict[str, Any] | None) -> None:
    """Every candidate and what became of it."""
    heading(console, "One decision")
    if placement is None:
        console.print("the catalog has no placement to decide for")
        return
    if decision is None:
        console.print("nobody to decide for")
        return
    decision_table(console, decision["user"], decision["placement"], decision)


def decision_table(console: Console, who: str, placement: str, decision: dict[str, Any]) -> None:
    """What was chosen, and every candidate with what became of it."""
    shown = ", ".join(action["actionId"] for action in decision["actions"]) or "nothing, which is an answer too"
    console.print(f"for [bold]{escape(who)}[/] at {escape(placement)}: [bold green]{escape(shown)}")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("action", "outcome", "reason", "propensity × value × weight = score"):
        table.add_column(column)
    for row in decision["explanation"]["candidates"]:
        terms = " × ".join(f"{term:g}" for term in row["terms"].values())
        style = {"chosen": "green", "outranked": "yellow"}.get(row["outcome"], "dim")
        score = f"{terms} = {row['score']:g}" if terms else ""
        table.add_row(row["actionId"], f"[{style}]{row['outcome']}", row["reason"], score)
    console.print(table)


def the_proof(console: Console, found: list[Conversion], people: int, mail_server: MailServer) -> None:
    """Some purchases: who bought, where and when, what was withdrawn in that same turn, and which mails arrived."""
    heading(console, "The proof")
    console.print("Who converts is out of the e-mail journey before the next message could leave.")
    for one in _most_telling(found):
        console.print()
        known = f", known there by the card {escape(one.by_card)} alone," if one.by_card else ""
        console.print(
            f"[bold]{escape(one.user)}[/] bought on [bold]{one.bought.get('channel', 'an unnamed channel')}[/]{known} "
            f"at {_when(one.bought['at'])}; in that same turn:"
        )
        for row in one.stops:
            console.print(f"  stopped    {row['journey']} [dim]({row['reason']})")
        for row in one.withdrawn:
            console.print(
                f"  withdrawn  {row['action']} by {row['channel']}, step {row['step']} [dim]({row['reason']})"
            )
        mails = mail_server.of(one.address)
        console.print(f"  mailbox    {one.late_mails} of the stopped journeys from then on, {len(mails)} mails in all")
    steps, late = sum(len(one.withdrawn) for one in found), sum(one.late_mails for one in found)
    console.print()
    console.print(
        f"Among {people:,} customers: {len(found):,} purchases ended journeys, {steps:,} steps and messages were "
        f"withdrawn, and the mailbox holds [bold]{late}[/] mails that a stopped journey sent from then on."
    )


def _most_telling(found: list[Conversion]) -> list[Conversion]:
    """The purchases to tell of: one by a card alone first, then those on another channel that withdrew most."""
    told = sorted(found, key=lambda one: (not one.by_card, not one.withdrawn, not one.across, -len(one.withdrawn)))
    by_card, others = told[: bool(told and told[0].by_card)], [one for one in told if not one.by_card]
    return (by_card + others)[:_PROOFS]


def who_is_who(console: Console, figures: dict[str, Any], found: list[Conversion], people: list[Person]) -> None:
    """What came of identity: in the whole run by the engine's own figures, and among the people who were read."""
    heading(console, "Who is who")
    profiles, events = figures["profiles"], figures["events"]
    open_reviews = {kind: states["open"] for kind, states in figures["reviews"].items() if states["open"]}
    rows = (
        ("profiles", f"{_number(profiles['known'])} of known people, {_number(profiles['anonymous'])} of visitors"),
        ("events", f"{events['known']:,} of known people, {events['anonymous']:,} of visitors"),
        ("joined", f"{figures['merges']:,} profiles into another one, {figures['splits']:,} of them undone"),
        ("cards", f"{sum(bool(one.by_card) for one in found):,} purchases by a card alone ended journeys of the web"),
        ("guests", f"{story.guests_joined(people):,} guests, known by an address alone, turned out to be customers"),
        ("shared values", f"{_number(figures['sharedValues'])} found (a tablet in a showroom, say): they join nobody"),
        ("to review", ", ".join(f"{count:,} {kind}" for kind, count in open_reviews.items()) or "nothing"),
    )
    table = Table.grid(padding=(0, 3))
    for name, value in rows:
        table.add_row(f"[dim]{name}", value)
    console.print(table)
    console.print(f"[dim]cards and guests: among the {len(people):,} customers whose timelines were read")


def _number(count: int | None) -> str:
    return "not counted yet" if count is None else f"{count:,}"


def what_next(console: Console, url: str, dashboard: str, keep: bool) -> None:
    """How to go on."""
    heading(console, "Next")
    segue = _program()
    lines = (
        ("leave it running", f"it is running: {url}/docs" if keep else f"{segue} demo --keep"),
        ("your own history", f"{segue} demo export.jsonl.gz   (Segment's format)"),
        ("the Ray dashboard", dashboard if keep else f"{segue} demo --keep   prints its address"),
        ("a catalog of your own", f"{segue} init DIR"),
        ("an engine of your own", f"{segue} up, then {segue} replay FILE"),
        ("another catalog", f"{segue} simulate --events FILE --config configs --against other"),
    )
    table = Table.grid(padding=(0, 3))
    for name, value in lines:
        table.add_row(f"[dim]{name}", escape(value))
    console.print(table)
    if keep:
        console.print("Ctrl-C stops it.")


def _program() -> str:
    """The words that call this program from the current folder: `segue` where the shell finds it by that name."""
    called = Path(sys.argv[0])
    if called.name != "segue":
        return "python -m serve"
    found = shutil.which("segue")
    return "segue" if found is not None and called.exists() and called.samefile(found) else shlex.quote(sys.argv[0])


def _cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    outcome, reason = row.get("outcome", ""), row.get("reason", "")
    style = _STYLES.get(outcome, "")
    behind = row.get("detail", {}).get("condition")
    saw = f"{behind['path']} saw {behind['saw']}" if behind else ""
    why = " ".join(part for part in (outcome, f"({reason})" if reason else "", saw) if part)
    what = escape(row["summary"])
    plain = f"[dim]{what}" if row["kind"] == "event" else f"{row['kind']}: {what}"
    return _when(row["at"]), row.get("channel", ""), plain, f"[{style}]{escape(why)}" if style else escape(why)


def _when(at: str) -> str:
    return at[5:19].replace("T", " ")
