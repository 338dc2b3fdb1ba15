"""The notes about pairs of journeys, in words; and about a journey of which nothing can be said beside others."""

from __future__ import annotations

from engine.catalog.compiled import Journey
from engine.clashes.findings import Verdict
from engine.clashes.meetings import Pair
from engine.clashes.words import reason_in_words
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS


def of_verdict(pair: Pair, found: Verdict) -> str:
    """What is said of a pair in which a story has shown a verdict."""
    both = f"{found.winner} and {found.loser}"
    match found.kind:
        case "free":
            why = "nothing keeps them apart: no cap counts both"
            return f"{both} can write to one customer within {_window(pair)}, and {why}"
        case "room":
            names = ", ".join(cap.id for cap in pair.caps)
            what = f"{both} can write to one customer within {_window(pair)}"
            return f"{what}: in this story there is room for both under {names}"
        case "held":
            holds = reason_in_words(found.rule)
            return f"{both} can meet at one customer: {found.winner} wins, and {found.action} is held: {holds}"
        case "stopped":
            return f"{both} can meet at one customer: {found.winner} wins, because its trigger ends {found.loser}"


def of_undecided(journey: Journey, reason: str) -> str:
    """What is said of a journey that no story leads to a message."""
    return f"what happens where {journey.id} meets other journeys is not told: {reason}"


def of_broken_off(count: int) -> str:
    """What is said where stories were not told to their end."""
    stories = "1 story of pairs was" if count == 1 else f"{count} stories of pairs were"
    return f"{stories} not told to the end: too much happens in so short a time"


def of_left_out(count: int) -> str:
    """What is said where not all pairs were looked at."""
    pairs = "1 pair of journeys was" if count == 1 else f"{count} pairs of journeys were"
    return f"{pairs} not looked at: there are too many"


def _window(pair: Pair) -> str:
    for unit_ms, word in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if pair.window_ms >= unit_ms:
            count = round(pair.window_ms / unit_ms)
            return f"{count} {word}s" if count > 1 else f"{'an' if word == 'hour' else 'a'} {word}"
    return "a minute"
