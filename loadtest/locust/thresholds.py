"""The limits that a load run must keep. Locust alone fails only on failed requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Locust patches sockets wherever it is imported
    from locust.stats import RequestStats

DECIDE, INGEST = "/v1/decide", ("/v1/batch", "/v1/track", "/v1/page", "/v1/screen", "/v1/identify", "/v1/import")


def broken(stats: RequestStats, limits: Mapping[str, float]) -> list[str]:
    """A line for each figure over its limit. `limits`: `decide_p99` and `ingest_p99` in ms, `failures` as a share of
    all requests. A latency limit that is 0 or missing is none; `failures` then allows no failure."""
    said = []
    total = stats.total
    if not total.num_requests:
        return ["nothing was asked"]
    if total.fail_ratio > limits.get("failures", 0.0):
        said.append(f"{total.num_failures} of {total.num_requests} requests failed")
    for name, paths in (("decide_p99", (DECIDE,)), ("ingest_p99", INGEST)):
        limit = limits.get(name, 0.0)
        slowest = max((stats.get(path, "POST").get_response_time_percentile(0.99) or 0 for path in paths), default=0)
        if limit and slowest > limit:
            said.append(f"{name} is {slowest:.0f} ms, {limit:g} ms are allowed")
    return said
