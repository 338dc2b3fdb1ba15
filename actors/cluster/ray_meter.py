"""Reports metrics through Ray: each process tells the agent of its node, whose Prometheus endpoint shows all of them.

Ray's own histograms cost 10 µs an observation in the process, and more in the agent, which gets each one. So
observations are counted here, and the counts are reported once a second, under the names and labels that Prometheus
gives to a histogram (https://prometheus.io/docs/concepts/metric_types/#histogram). Ray exports them as gauges, which
makes no difference to queries (`docs/decisions/0018-histograms-are-counted-here.md`).
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ray.util import metrics

from actors.platform.meter import Histogram, Metric

_TELL_S = 1.0


class RayMeter:
    """One per process, for its life: it reports from a thread of its own. `part` names the process in every series:
    `shard-0`, `dispatcher`, `ingress`."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._known: dict[str, Any] = {}
        self._tags: dict[tuple[str, ...], dict[str, str]] = {}
        self._totals: dict[tuple[str, ...], int] = {}
        self._histograms: dict[tuple[str, tuple[str, ...]], Histogram] = {}
        threading.Thread(target=self._tell_for_ever, name="meter", daemon=True).start()

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        """One observation of a histogram."""
        self.histogram(metric, *tags).add(value)

    def histogram(self, metric: Metric, *tags: str) -> Histogram:
        """The histogram of a series; what is added to it is told once a second."""
        histogram = self._histograms.get((metric.name, tags))
        if histogram is None:
            histogram = self._histograms[metric.name, tags] = Histogram(metric, tags)
        return histogram

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        """A counter went up by `more`, which may be 0."""
        if more > 0:
            self._of(metric.name, metrics.Counter, metric).inc(more, self._tagged(metric, tags))

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        """A counter whose sum the caller keeps, from 0 on, stands at `total`."""
        key = (metric.name, *tags)
        self.add(metric, total - self._totals.get(key, 0), *tags)
        self._totals[key] = total

    def set(self, metric: Metric, value: float, *tags: str) -> None:
        """A gauge stands at `value`."""
        self._of(metric.name, metrics.Gauge, metric).set(value, self._tagged(metric, tags))

    def _tell_for_ever(self) -> None:
        while True:
            time.sleep(_TELL_S)
            for histogram in list(self._histograms.values()):  # a copy: the shell's thread may add one meanwhile
                if histogram.has_news():
                    self._tell(histogram)

    def _tell(self, histogram: Histogram) -> None:
        metric, labels = histogram.metric, self._tagged(histogram.metric, histogram.tags)
        bucket = self._of(f"{metric.name}_bucket", metrics.Gauge, metric, "le")
        upto = histogram.upto()
        for edge, count in upto.items():
            bucket.set(count, labels | {"le": edge})
        self._of(f"{metric.name}_count", metrics.Gauge, metric).set(upto["+Inf"], labels)
        self._of(f"{metric.name}_sum", metrics.Gauge, metric).set(histogram.sum, labels)

    def _of(self, name: str, kind: type[Any], metric: Metric, *more: str) -> Any:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = kind(name, metric.about, tag_keys=("part", *metric.tags, *more))
        return known

    def _tagged(self, metric: Metric, values: tuple[str, ...]) -> dict[str, str]:
        key = (metric.name, *values)
        found = self._tags.get(key)
        if found is None:
            plain = (value.encode("ascii", "backslashreplace").decode() for value in values)  # Ray takes no other
            found = self._tags[key] = {"part": self._part, **dict(zip(metric.tags, plain, strict=True))}
        return found
