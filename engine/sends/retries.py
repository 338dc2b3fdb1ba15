"""When a message is tried again, and for how long.

A message that its provider surely did not take is tried again after half a minute, then ever more rarely. It is tried
for its channel's `retry_for` from the decision on, and never once its action is over or its deadline has passed. Each
pause is stretched by a draw of its own, so messages that failed together do not come back together. The first try of a
message is made however late it comes, after a pause or a downtime.
"""

from __future__ import annotations

from typing import Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.profile import Send
from engine.vocabulary import DAY_MS, MINUTE_MS

_RETRY_FOR_MS: Final = DAY_MS  # of a channel that the active catalog does not have
FIRST_MS: Final = MINUTE_MS // 2
_LONGEST_MS: Final = 30 * MINUTE_MS
_DOUBLINGS_MAX: Final = 6  # the pause is at its longest by then
_STRETCH: Final = 0.5
_MARGIN_MS: Final = MINUTE_MS  # between the last try and the end, so that a busy moment does not cost it


def ends_with_its_action(catalog: Catalog, send: Send) -> bool:
    """Whether its action, as the active catalog has it, is over before its channel gives it up."""
    over_ms = _over_ms(catalog, send)
    return over_ms is not None and over_ms < _given_up_ms(catalog, send)


def ends_with_its_deadline(catalog: Catalog, send: Send) -> bool:
    """Whether its deadline passes before its channel gives it up, and before its action is over."""
    others = (_given_up_ms(catalog, send), _over_ms(catalog, send))
    return bool(send.deadline_ms) and all(end is None or send.deadline_ms < end for end in others)


def next_try_ms(catalog: Catalog, send: Send, now_ms: int) -> int | None:
    """When a send that was tried `send.attempts` times is tried again; None where it is not worth another try."""
    over_ms, end_ms = _over_ms(catalog, send), _given_up_ms(catalog, send)
    end_ms = min(end for end in (end_ms, over_ms, send.deadline_ms or None) if end is not None)
    last_ms = end_ms - min(_MARGIN_MS, (end_ms - send.decided_ms) // 4)
    pause_ms = min(FIRST_MS * 2 ** min(send.attempts - 1, _DOUBLINGS_MAX), _LONGEST_MS)
    stretch = 1 + _STRETCH * seeds.draw(catalog.id_key, "retry", send.id, send.attempts)
    wanted_ms = min(now_ms + int(pause_ms * stretch), last_ms)
    return wanted_ms if wanted_ms >= now_ms + FIRST_MS else None


def _given_up_ms(catalog: Catalog, send: Send) -> int:
    channel = catalog.channels.get(send.channel)
    return send.decided_ms + (channel.retry_for_ms if channel else _RETRY_FOR_MS)


def _over_ms(catalog: Catalog, send: Send) -> int | None:
    action = catalog.actions.get(send.action)
    return action.valid_until_ms if action else None
