"""The pipeline of ingest: its steps, each a function over the list of a body's items.

1. `parse_each_item` (`segment_format`): its event, or what is wrong with it.
2. `find_each_profile`: whose event it is.
3. `refuse_if_all_may_wait`: an overloaded engine takes only what is never shed. It comes before the tracking plan, so
   that what is refused costs no more than it must, and is counted nowhere.
4. `quarantine_what_is_not_to_be_sent`: the tracking plan, who may send an event, and what it may say about consent.
5. `tell_each_profile`: the shards take it durably; on a replay clock `stage_each_event` keeps it for its time.

A step passes over items that an earlier one has set aside. What was set aside becomes a dead letter (`dead_letters`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from actors.transport.messages.carried import EventRejected, EventUnreadable
from actors.transport.router import Router
from engine.catalog.compiled import Catalog
from engine.errors import Overloaded
from engine.events.shedding import is_sheddable
from engine.identity.home import home_of
from engine.inputs import Event
from serve.ingest.carried import field_of
from serve.ingest.items import NOT_ALLOWED, OFF_PLAN, REJECTED, UNREADABLE, Item
from serve.ingest.tracking import has_no_rules, objection, planned

PART_ITEMS: Final = 200  # some milliseconds of work, for which other requests wait


def in_parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """A large batch a part at a time, so that others can have their turn between two of them."""
    if len(items) <= PART_ITEMS:
        yield items
        return
    for start in range(0, len(items), PART_ITEMS):
        yield items[start : start + PART_ITEMS]


def find_each_profile(catalog: Catalog, items: Sequence[Item]) -> None:
    """Find the profile of each event. An event that names nobody that can be known is rejected."""
    for item in items:
        if item.event is not None:
            home = home_of(catalog, item.event)
            if home is None:
                item.set_aside(REJECTED, field_of(item.event, catalog.identity), "names nobody that can be known")
            else:
                item.profile = home


def refuse_if_all_may_wait(catalog: Catalog, items: Sequence[Item]) -> None:
    """Raises Overloaded where no event is one that is never shed: the client repeats all of it with the same ids."""
    if all(is_sheddable(catalog, item.event) for item in items if item.event is not None):
        raise Overloaded


def quarantine_what_is_not_to_be_sent(catalog: Catalog, items: Sequence[Item]) -> int:
    """Set events aside to which the tracking plan or the rules of their source object. Returns how many the plan
    objects to and still lets pass."""
    if has_no_rules(catalog):  # the common case, in which no event has to be looked at
        return 0
    warned = 0
    for item in items:
        if item.event is None:
            continue
        if (unusable := objection(catalog, item.event)) is not None:
            item.set_aside(NOT_ALLOWED, unusable.field, unusable.message)
        elif (found := planned(catalog, item.event)) is not None:
            if found.mode == "warn":
                warned += 1
            else:
                item.set_aside(OFF_PLAN, found.field, found.message)
    return warned


async def tell_each_profile(router: Router, items: Sequence[Item]) -> None:
    """Give each event its turn; on return all are durable. An event that its profile cannot take is rejected. An event
    for a profile that cannot be read is set aside until it can be. Raises NotReady and Overloaded as `Router.ingest`
    does."""
    going_on = [item for item in items if item.event is not None]
    for item, result in zip(going_on, await router.ingest(_addressed(items)), strict=True):
        if isinstance(result, EventRejected):
            item.set_aside(REJECTED, "", result.reason)
        elif isinstance(result, EventUnreadable):
            item.set_aside(UNREADABLE, "", result.reason)
        else:
            item.result = result


async def stage_each_event(router: Router, items: Sequence[Item]) -> None:
    """Keep events durably until the replay clock reaches their times."""
    await router.stage(_addressed(items))


def _addressed(items: Sequence[Item]) -> list[tuple[str, Event]]:
    return [(item.profile, item.event) for item in items if item.event is not None]
