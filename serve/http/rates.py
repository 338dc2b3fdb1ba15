"""The rate limit of each key: a token bucket that fills at the key's rate and holds two seconds' worth."""

from __future__ import annotations

from actors.platform.clock import Clock
from engine.errors import Overloaded
from serve.http.auth import Principal

_BURST_S = 2.0


class Rates:
    """One per ingress replica. Keys without a rate are never held up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # by the key's name: what is in it, and since when

    def take(self, principal: Principal) -> None:
        """Take a token for one request of a key. Without one left, Overloaded says when the next request may come."""
        rate = principal.per_s
        if not rate:
            return
        now_s, most = self._clock.now_ms() / 1000, max(1.0, rate * _BURST_S)
        left, since_s = self._buckets.get(principal.source, (most, now_s))
        left = min(most, left + max(0.0, now_s - since_s) * rate)
        if left < 1.0:
            self._buckets[principal.source] = left, now_s
            raise Overloaded(round((1.0 - left) / rate * 1000))
        self._buckets[principal.source] = left - 1.0, now_s
