"""Shortens a story for as long as it shows what it must: what is left are the inputs without which it would not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from engine.clashes.findings import Shows
from engine.clashes.stories import Does, Known, Story, Told, may_be_one

Shown = tuple[Story, Told]
Rehearse = Callable[[Story], Told | None]  # None: no more stories may be rehearsed


def shortened(story: Story, told: Told, rehearse: Rehearse, shows: Shows) -> Shown:
    """The story less each part that it can do without. Later parts are tried first, because earlier ones may be what
    they build on."""
    place = len(story.happenings) - 1
    while place >= 0:
        for shorter in _without(story, place):
            found = rehearse(shorter)
            if found is not None and shows(shorter, found):
                place -= len(story.happenings) - len(shorter.happenings)
                story, told = shorter, found
                break
        else:
            place -= 1
    return story, told


def _without(story: Story, place: int) -> Iterator[Story]:
    """The stories that have one thing less at a place: the happening, else one of its details."""
    happening = story.happenings[place]
    yield _put(story, place)
    yield from _as_one(story, place)
    if isinstance(happening, Known):
        for address in happening.addresses:
            rest = tuple(each for each in happening.addresses if each != address)
            yield _put(story, place, replace(happening, addresses=rest))
        for trait in happening.traits:
            yield _put(story, place, replace(happening, traits=_less(happening.traits, trait)))
    elif isinstance(happening, Does):
        for name in happening.properties:
            yield _put(story, place, replace(happening, properties=_less(happening.properties, name)))


def _as_one(story: Story, place: int) -> Iterator[Story]:
    """The stories in which an event and an earlier one of the same name are one, where no property contradicts."""
    later = story.happenings[place]
    for before in range(place) if isinstance(later, Does) else ():
        earlier = story.happenings[before]
        if isinstance(later, Does) and isinstance(earlier, Does) and may_be_one(earlier, later):
            both = replace(later, properties=earlier.properties | later.properties)
            yield _put(_put(story, place, both), before)


def _put(story: Story, place: int, *happenings: Known | Does) -> Story:
    made = (*story.happenings[:place], *happenings, *story.happenings[place + 1 :])
    return replace(story, happenings=made)


def _less(data: dict[str, object], name: str) -> dict[str, object]:
    return {each: value for each, value in data.items() if each != name}
