"""Events that two profiles have from a time when they were one person: a split has given them to both, because no
identifier told whose they were. Where the two are one again, each of these counts once.

Such an event came while a merge could be undone, so it names the identifiers that it carried. Its two copies are the
same byte for byte. Any other two events that came so differ at least in their number at the profile that heard them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.recent_events import Happened, encoder, history_order


def joined(mine: Iterable[Happened], theirs: Iterable[Happened]) -> list[Happened]:
    """The recent events of two profiles that become one, in their order."""
    return sorted(distinct([*mine, *theirs]), key=history_order)


def distinct(events: Iterable[Happened], known: Sequence[Happened] = ()) -> Iterator[Happened]:
    """Each event once, and none that is among the `known` ones."""
    seen: set[bytes] | None = None
    for event in events:
        if event.by:
            seen = {encoder.encode(each) for each in known if each.by} if seen is None else seen
            packed = encoder.encode(event)
            if packed in seen:
                continue
            seen.add(packed)
        yield event
