"""How old events are when they are durable in their profiles, by the source that told them.

From an event's own time, as its client states it, so what waited on a telephone or in a queue is in it. An event counts
once: a repeat has no turn.
"""

from __future__ import annotations

from actors.platform import meter as m
from actors.platform.meter import Histogram, Meter


class Freshness:
    """One per shard server, from the start of its process."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._waiting: list[tuple[str, int]] = []  # the source and time of events that are not durable yet
        self._by_source: dict[str, Histogram] = {}

    def turned(self, source: str, at_ms: int) -> None:
        """An event of `at_ms` has had its turn."""
        self._waiting.append((source, at_ms))

    def durable(self, now_ms: int) -> None:
        """All turns so far are durable."""
        for source, at_ms in self._waiting:
            histogram = self._by_source.get(source)
            if histogram is None:
                histogram = self._by_source[source] = self._meter.histogram(m.FRESHNESS_SECONDS, source)
            histogram.add(max(0, now_ms - at_ms) / 1000)
        self._waiting.clear()

    def counts(self) -> dict[str, list[int]]:
        """By source, how many events lie in each bucket of the metric."""
        return {source: histogram.counts for source, histogram in self._by_source.items()}
