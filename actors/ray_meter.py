"""Metrics by way of Ray: each process tells the agent of its node, whose Prometheus endpoint shows all of them."""

from __future__ import annotations

from typing import Any

from ray.util import metrics

from actors.meter import Metric

_KINDS: dict[str, type[Any]] = {"counter": metrics.Counter, "gauge": metrics.Gauge, "histogram": metrics.Histogram}


class RayMeter:
    """One per process. `part` names it in every series: `shard-0`, `dispatcher`, `ingress`."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._known: dict[str, Any] = {}
        self._tags: dict[tuple[str, ...], dict[str, str]] = {}
        self._totals: dict[tuple[str, ...], int] = {}

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        """One observation of a histogram."""
        self._of(metric).observe(value, self._tagged(metric, tags))

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        """A counter went up by `more`, which may be 0."""
        if more > 0:
            self._of(metric).inc(more, self._tagged(metric, tags))

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        """A counter that is kept elsewhere, from 0 on, stands at `total`."""
        key = (metric.name, *tags)
        self.add(metric, total - self._totals.get(key, 0), *tags)
        self._totals[key] = total

    def set(self, metric: Metric, value: float, *tags: str) -> None:
        """A gauge stands at `value`."""
        self._of(metric).set(value, self._tagged(metric, tags))

    def _of(self, metric: Metric) -> Any:
        known = self._known.get(metric.name)
        if known is None:
            options: dict[str, Any] = {"boundaries": list(metric.bounds)} if metric.bounds else {}
            known = _KINDS[metric.kind](metric.name, metric.about, tag_keys=("part", *metric.tags), **options)
            self._known[metric.name] = known
        return known

    def _tagged(self, metric: Metric, values: tuple[str, ...]) -> dict[str, str]:
        key = (metric.name, *values)
        found = self._tags.get(key)
        if found is None:
            plain = (value.encode("ascii", "backslashreplace").decode() for value in values)  # Ray takes no other
            found = self._tags[key] = {"part": self._part, **dict(zip(metric.tags, plain, strict=True))}
        return found
