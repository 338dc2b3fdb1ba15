"""A history of invented customers that shows a playbook, made from a seed: the same seed makes the same lines."""

from __future__ import annotations

from engine.errors import UsageError
from serve.playbooks.histories.stories import ROUTES, STORIES
from serve.playbooks.histories.telling import Customer, Line, fact
from serve.playbooks.library import Playbook
from serve.playbooks.mapping import Names


def made(playbook: Playbook, names: Names, customers: int, seed: int) -> list[Line]:
    """Its lines in order of time. UsageError for a playbook of somebody's own, which has no such story."""
    story = STORIES.get(playbook.id)
    if story is None:
        raise UsageError("has no history: only the playbooks that come with Segue have one", playbook.id)
    lines: list[Line] = []
    for number in range(1, customers + 1):
        who = Customer(playbook.id, seed, number, names)
        story(who)
        lines += who.lines
    if any(event.of_thing for event in playbook.events.values()):
        drops = ((ROUTES[0][0], 17.0), (ROUTES[1][0], 6.0))  # the second is too small to be told
        lines += [
            fact(
                playbook.id,
                names,
                seed,
                number,
                "route",
                route,
                "Price Dropped",
                {"percent": percent, "price": 240 - 2.4 * percent},
            )
            for number, (route, percent) in enumerate(drops)
        ]
    return sorted(lines, key=lambda line: (line["timestamp"], line["messageId"]))
