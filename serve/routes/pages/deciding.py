"""A decision within a page load. Past the deadline, or where the profiles cannot be reached, a shop gets the default of
its placement, marked as degraded, and never an error page.

A decision that comes too late still stands: the next page load finds its place under the caps, or the place expires.
"""

from __future__ import annotations

import asyncio
from typing import Any

from actors.platform.meter import DEGRADED
from engine.errors import Overloaded, TryAgain
from engine.inputs import Decide
from serve.http.gateway import Gateway


async def decide(gateway: Gateway, home: str, asked: Decide, *, is_full: bool = False) -> dict[str, Any]:
    """The answer of the profile at `home`; the placement's default where none comes in time. With `is_full` there is no
    room for a decision, so none is asked for.

    Raises Overloaded and NotReady where no deadline is set. Questions that explain have none, because people wait for
    the answer.
    """
    deadline_s = 0.0 if asked.explain else gateway.config.deadline_s
    if not deadline_s:
        if is_full:
            raise Overloaded
        return dict(await gateway.router.tell(home, asked))
    if is_full:
        return _default(gateway, home, asked, "overload")
    try:
        async with asyncio.timeout(deadline_s):
            return dict(await gateway.router.tell(home, asked, deadline_s))
    except TimeoutError:
        return _default(gateway, home, asked, "deadline")
    except Overloaded:
        return _default(gateway, home, asked, "overload")
    except TryAgain:
        return _default(gateway, home, asked, "not_ready")


def _default(gateway: Gateway, home: str, asked: Decide, cause: str) -> dict[str, Any]:
    gateway.meter.add(DEGRADED, 1, cause)
    return {
        "decisionId": "",
        "profileId": home,
        "catalogVersion": gateway.catalog.version,
        "actions": [],
        "degraded": True,
    }
