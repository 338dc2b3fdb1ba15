"""Counts by names that catalogs give: journeys, actions, variants. However many catalogs come and go, the number of
series that a process reports is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SERIES_MAX: Final = 1_000
OTHER: Final = "other"  # stands for all names that came when there was no more room


class Labelled:
    """One metric's counts, from 0 on. A series is `names` names of the catalog, followed by words of a closed list,
    which are always reported as they are."""

    def __init__(self, names: int) -> None:
        self._others = (OTHER,) * names
        self._counts: dict[tuple[str, ...], int] = {}
        self._news: set[tuple[str, ...]] = set()

    def add(self, *series: str) -> None:
        """One more."""
        known = self._counts.get(series)
        if known is None and len(self._counts) >= SERIES_MAX:
            series = self._others + series[len(self._others) :]
            known = self._counts.get(series)
        self._counts[series] = (known or 0) + 1
        self._news.add(series)

    def news(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The series that have grown since the last call, each with its count."""
        news, self._news = self._news, set()
        for series in news:
            yield series, self._counts[series]
