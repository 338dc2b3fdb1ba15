"""The order of a batch, for people whose events name different identifiers.

A guest states an address in one event and orders in the next, which names the browser alone. The two may be at home in
two places, and the second must find the pointer that the first has set. So what shares an identifier with an earlier
event of another home waits until that one is answered. All others are told at once, and nearly every batch is one wave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from engine.identity.home import named
from engine.inputs import Event

Waiting = list[tuple[int, str, Event]]  # (index in the batch, address, event)


def waves(events: Sequence[tuple[int, str, Event]]) -> list[Waiting]:
    """The events in waves, each told when the one before is answered; in each the order of the batch."""
    if len(events) == 1:
        return [list(events)]
    found: defaultdict[int, Waiting] = defaultdict(list)
    of_home: dict[str, int] = {}
    of_name: dict[tuple[str, str], tuple[int, str]] = {}
    for item in events:
        home, names = item[1], named(item[2])
        wave = of_home.get(home, 0)
        for name in names:
            before = of_name.get(name)
            if before is not None:
                wave = max(wave, before[0] + (before[1] != home))
        of_home[home] = wave
        for name in names:
            of_name[name] = wave, home
        found[wave].append(item)
    return [found[wave] for wave in sorted(found)]
