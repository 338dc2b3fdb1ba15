"""A story and what came of it in words, a line for each thing that happens: `day 0 09:10  Product Added {value: 10}`.

Days count from the beginning of the story, and times are those of the workspace's zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.clashes.stories import Consents, Does, Happening, Known, Learned, Reacts, Story, Told, send_of
from engine.occasions import local_times
from engine.vocabulary import ARRIVED

LINES_MAX: Final = 40
_PLAIN_ENDS: Final = ("", "end", "exit")  # what the engine says of a run for whose end no reason is written
_CHARS_MAX: Final = 120  # of the properties of an event
_ADDRESSES: Final = {"email": "an e-mail address", "phone": "a telephone number", "device_id": "a device"}
_WORDS: Final = {
    "cap.service_per_address": "as many messages of service as may have gone to the address",
    "diversity.category": "there are enough of its category",
    "eligibility": "the action is not for this customer (eligible)",
    "fit.channel": "the action does not use this channel",
    "fit.placement": "the action does not belong to this placement",
    "join.any": "another arm was at its end first",
    "journey.concurrent": "as many runs as it allows are under way",
    "journey.deadline": "its deadline is over",
    "journey.draft": "the journey is a draft",
    "journey.edited": "the journey was edited",
    "journey.inside_before": "the customer was in the segment before the journey was live",
    "journey.late": "its trigger is told too late",
    "journey.no_date": "the customer has no such date",
    "journey.no_trigger": "its trigger has not happened",
    "journey.not_yet": "its time has not come",
    "journey.pace": "as many messages of the journey as its pace allows have left",
    "journey.paused": "the journey is paused",
    "journey.re_entry": "the last run ended not long ago",
    "journey.removed": "the journey is not there any more",
    "journey.segment": "the customer is not in the segment as it asks",
    "journey.stopped": "the journey was stopped",
    "journey.touches": "the run has sent as many messages as it may",
    "journey.when": "its condition does not hold",
    "journey.where": "the event does not pass the tests of its trigger",
    "limit.runs": "the customer is in as many runs as there may be",
    "limit.steps": "the run goes round in a circle without waiting",
    "merge.duplicate": "another run of the same key goes on",
    "offer.full_price": "the customer has paid the full price",
    "offer.shown": "another offer stands",
    "propensity.low": "the customer is not likely enough to take it",
    "quiet_hours": "it is quiet",
    "status.draft": "the action is a draft",
    "status.paused": "the action is paused",
    "status.removed": "the action is not there any more",
    "status.stopped": "the action is stopped",
    "suppress.fatigue": "the customer is tired of its category",
    "timer.coalesced": "a newer timer stands for it",
    "timer.late": "its timer comes too late",
    "validity.not_yet": "the action is not valid yet",
    "validity.over": "the action is over",
    "validity.unknown_action": "there is no such action",
    "wait.no_date": "the customer has no date to wait for",
    "wait.past": "the day that it waits for is over",
}
_OF_ADDRESSES: Final = {
    "no": "the customer has no {}",
    "unverified": "nobody has verified the {}",
    "unanswered": "nobody answers for the {}",
}
_AS_A_RULE: Final = ("journey.when", "journey.concurrent", "journey.re_entry")  # why most events start nothing
_REACTIONS: Final = {
    "opened": "opens the message",
    "clicked": "follows a link in the message",
    "delivered": "has received the message",
    "bounced": "cannot be reached: the message bounces",
    "complained": "marks the message as spam",
}


def lines(catalog: Catalog, story: Story, told: Told) -> tuple[str, ...]:
    """What happens, and what the engine does about it, in the order of time; of a long story the beginning."""
    happened = [(at_ms, 0, words) for at_ms, words in _happenings(story)]
    done = [(at_ms, 1, words) for at_ms, entry in _in_order(catalog, story, told) if (words := _of_entry(entry))]
    found = [f"{_time(catalog, story, at_ms)}  {words}" for at_ms, _, words in sorted(happened + done, key=_place)]
    more = [f"… and {len(found) - LINES_MAX} more"] if len(found) > LINES_MAX else []
    return (*found[:LINES_MAX], *more)


def reason_in_words(reason: str) -> str:
    """Why a message does not go out, or why a run ends. A text of the author's own stays as it is."""
    if reason in _WORDS:
        return _WORDS[reason]
    kind, _, name = reason.partition(".")
    match kind:
        case "cap":
            return f"the cap {name} has no room"
        case "suppress":
            return f"the suppression {name} holds"
        case "stop":
            return f"the stop {name}"
        case "budget":
            return f"the budget {name} is used up"
        case "holdout":
            return f"the customer is held out by {name}"
        case "outranked":
            return f"{name} comes before it"
        case "consent":
            return f"there is no consent ({name.replace('.', ' on ')})"
        case "fit" if (how := name.partition("_"))[0] in _OF_ADDRESSES:
            address = _ADDRESSES.get(how[2], f"a {how[2]}").partition(" ")[2]
            return _OF_ADDRESSES[how[0]].format(address)
        case _:
            return reason


def _in_order(catalog: Catalog, story: Story, told: Told) -> Iterator[tuple[int, Entry]]:
    """The entries worth telling with their times. A message that is handed over within the minute of its decision, and
    before anything else happens, stands where it was decided: what others lose by it comes after it."""
    decided = {send_of(each): place for place, each in enumerate(told.entries) if each.outcome == "decided"}
    found = list[tuple[int, int]]()
    for place in _worth_telling(told):
        entry = told.entries[place]
        before = decided.get(send_of(entry), place) if entry.outcome in ARRIVED else place
        since_ms = told.entries[before].at_ms
        is_one_line = _time(catalog, story, since_ms) == _time(catalog, story, entry.at_ms)
        is_one_line = is_one_line and not any(since_ms < each.at_ms <= entry.at_ms for each in story.happenings)
        found.append((before, place) if is_one_line else (place, place))
    return ((told.entries[first].at_ms, told.entries[place]) for first, place in sorted(found))


def _worth_telling(told: Told) -> Iterator[int]:
    """The places of the entries less those that say nothing new: that a run which has written comes to its end, and
    that most events do not start a journey again."""
    writing = {entry.journey for entry in told.entries if entry.kind == "send"}
    begun = {entry.journey for entry in told.entries if entry.outcome == "entered"}
    for place, entry in enumerate(told.entries):
        is_end = entry.outcome == "completed" and entry.journey in writing
        is_usual = entry.outcome == "not_entered" and entry.reason in _AS_A_RULE and entry.journey in begun
        if not (is_end or is_usual):
            yield place


def _place(row: tuple[int, int, str]) -> tuple[int, int]:
    return row[0], row[1]


def _time(catalog: Catalog, story: Story, at_ms: int) -> str:
    first = local_times.clock(local_times.local_of(story.begins_ms, catalog.zone))
    there = local_times.clock(local_times.local_of(story.begins_ms + at_ms, catalog.zone))
    return f"day {(there.date() - first.date()).days} {there:%H:%M}"


def _happenings(story: Story) -> Iterator[tuple[int, str]]:
    """(time, words); what somebody says yes to at one time is one line."""
    said: dict[tuple[int, str, bool], list[str]] = {}
    for each in story.happenings:
        if isinstance(each, Consents):
            key = (each.at_ms, each.purpose, each.granted)
            said.setdefault(key, []).append(each.channel)
            if len(said[key]) > 1:
                continue
            same = [one for one in story.happenings if isinstance(one, Consents)]
            channels = [one.channel for one in same if (one.at_ms, one.purpose, one.granted) == key]
            verb = "yes" if each.granted else "no"
            yield each.at_ms, f"the customer says {verb} to {each.purpose} on {', '.join(channels)}"
        else:
            yield each.at_ms, _of_happening(each)


def _of_happening(happening: Happening) -> str:
    match happening:
        case Known(addresses=addresses, traits=traits):
            had = [*(_ADDRESSES.get(each, f"a {each}") for each in addresses), *([_spelled(traits)] if traits else [])]
            return f"a customer is known{', with ' + ' and '.join(had) if had else ''}"
        case Does(event=event, properties=properties):
            return f"{event} {_spelled(properties)}".rstrip()
        case Learned(kind=kind, event=event, properties=properties, thing=thing):
            return f"{event}, of the {kind} {thing} {_spelled(properties)}".rstrip()
        case Reacts(outcome=outcome):
            return f"the customer {_REACTIONS.get(outcome, outcome)}"
        case _:
            raise AssertionError(f"no words for {type(happening).__name__}")


def _of_entry(entry: Entry) -> str:
    """What the engine did, in words; empty for what nobody outside it notices."""
    if entry.kind == "send":
        message = f"{entry.channel} {entry.action}".strip()
        if entry.outcome in ARRIVED:
            return f"{message} goes out ({entry.journey})"
        if entry.outcome in ("held", "withdrawn", "expired"):
            return f"{message} does not go out: {reason_in_words(entry.reason)} ({entry.journey})"
    if entry.kind in ("journey", "stop") and entry.journey:
        if entry.outcome == "entered":
            return f"{entry.journey} begins"
        if entry.outcome == "not_entered":
            return f"{entry.journey} does not begin: {reason_in_words(entry.reason)}"
        if entry.kind == "stop" and entry.outcome != "not_entered":
            return f"{entry.journey} ends: {reason_in_words(entry.reason)}"
        if entry.outcome == "exited":
            return f"{entry.journey} has come to its end" + (
                f": {reason_in_words(entry.reason)}" if entry.reason not in _PLAIN_ENDS else ""
            )
    return ""


def _spelled(data: Mapping[str, Any]) -> str:
    """Data as a file would have it; shortened where it is long."""
    found = flow(data) if data else ""
    return found if len(found) <= _CHARS_MAX else f"{found[:_CHARS_MAX]}…"


def flow(value: Any) -> str:
    """Data in one line, as a file would have it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
