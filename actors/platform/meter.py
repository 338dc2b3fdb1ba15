"""The metrics of a running engine, each with its name, and the port to the meter that keeps them.

Ray's Prometheus endpoint shows them as `ray_segue_…` (a counter with `_total` behind it, as Prometheus wants it).
Counts that grow with every event are plain numbers, reported once a second, because a report costs microseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Protocol

_FAST_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SLOW_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_AGES_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0, 604_800.0)

_LONG_S = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One name. `bounds` are the upper edges of a histogram's buckets, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    tags: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_SHOWN_AS = ("action", "channel", "event")


def _counter(name: str, about: str, *tags: str) -> Metric:
    return Metric(f"segue_{name}", "counter", about, tags)


def _gauge(name: str, about: str, *tags: str) -> Metric:
    return Metric(f"segue_{name}", "gauge", about, tags)


def _histogram(name: str, bounds: tuple[float, ...], about: str, *tags: str) -> Metric:
    return Metric(f"segue_{name}", "histogram", about, tags, bounds)


HTTP_SECONDS = _histogram(
    "http_seconds", _FAST_S, "From a request to its answer, at the ingress, by route and status", "route", "status"
)
HTTP_IN_FLIGHT = _gauge("http_in_flight", "Requests inside the ingress")
DEGRADED = _counter("decisions_degraded", "Decisions answered with the placement's default, by cause", "cause")
DECIDE_SECONDS = _histogram(
    "decide_seconds",
    _FAST_S,
    "A decision in its shard, by phase: `queue` until its turn, `turn`; then a commit",
    "phase",
)
TURNS = _counter("turns", "Turns, by the kind of input", "kind")
EVENTS = _counter("events", "Events taken, by what became of them", "status")
QUEUE_DEPTH = _gauge("queue_depth", "Inputs and calls that wait for their turn in a shard")
COMMIT_SECONDS = _histogram("commit_seconds", _FAST_S, "One commit with its sync, which a group of turns shares")
TIMER_LATENESS_SECONDS = _histogram("timer_lateness_seconds", _SLOW_S, "How late timers fire")
TIMERS_PENDING = _gauge("timers_pending", "Timers that wait for their time")
SENDS = _counter("sends", "Sends settled, by outcome", "outcome")
OUTBOX_WAITING = _gauge("outbox_waiting", "Sends that are decided and not settled")
HAND_OVER_SECONDS = _histogram(
    "hand_over_seconds", _SLOW_S, "A message's hand-over to its provider", "channel", "outcome"
)
REFUSALS = _counter(
    "refusals", "Decisions and sends in which a reason (`cap.weekly`, say) held something back", "reason"
)
MESSAGES = _counter(
    "messages",
    "Sends that were held back or settled, by what they are and what became of them",
    "journey",
    "action",
    "variant",
    "channel",
    "outcome",
)
SHOWN = _counter("shown", "Actions that decisions chose", "action", "variant", "channel")
EXPOSURES = _counter("exposures", "What was told of actions that were shown: `viewed`, `clicked` ...", *_SHOWN_AS)
RUNS = _counter("runs", "Runs of journeys, by what they did: `entered`, `completed`, `stopped` ...", "journey", "what")
_WAY = ("was", "into", "by")
TRANSITION_SECONDS = _histogram(
    "transition_seconds", _LONG_S, "From the last event at a touchpoint to the first one at the next", *_WAY
)
TRANSITION_READY_SECONDS = _histogram(
    "transition_ready_seconds", _FAST_S, "How long a customer's context took to be at another touchpoint", *_WAY
)
TRANSITIONS_MISSED = _counter("transitions_missed", "Changes of touchpoint that missed what their goal asks", *_WAY)
OPT_OUT_SECONDS = _histogram(
    "opt_out_seconds", _SLOW_S, "From an opt-out's arrival until nothing that it forbids can leave any more"
)
SOURCE_LAST_EVENT_SECONDS = _gauge(
    "source_last_event_seconds", "When a source was heard of last, in seconds since 1970", "source"
)
FRESHNESS_SECONDS = _histogram(
    "freshness_seconds", _AGES_S, "From an event's own time until it is durable in its profile, by source", "source"
)
SOURCE_LAG_SECONDS = _gauge("source_lag_seconds", "The oldest event of a source in its last second of work", "source")
PROFILES = _gauge("profiles", "Profiles that are known")
EVENTS_RESOLVED = _counter(
    "events_resolved", "Events by whose they were: of a `known` person, or of an `anonymous` one", "who"
)
PROFILES_RESOLVED = _gauge(
    "profiles_resolved", "Profiles by who they are: a `known` person, or an `anonymous` one", "who"
)
PROFILES_BY_IDENTIFIERS = _gauge(
    "profiles_by_identifiers",
    "Profiles by the number of their identifiers: the upper edge of the bucket",
    "identifiers",
)
MERGES = _counter("merges", "Profiles that were joined to another one")
SPLITS = _counter("splits", "Merges that were undone")
REVIEWS = _gauge("reviews", "Entries of the review queue, by what is asked and how it stands", "kind", "state")
PROFILES_LIKELY = _gauge("profiles_likely", "Profiles with a link below 1.0 to another one")
SHARED_VALUES = _gauge("shared_values", "Values of identifiers that several people share, and that join nobody")
PROFILES_ACTIVE = _gauge("profiles_active", "Profiles in memory")
CACHE_BYTES = _gauge("cache_bytes", "What the profiles in memory take")
FACTS_WAITING = _gauge("facts_waiting", "Facts about things that are still being told")
FACTS_TOLD = _counter("facts_told", "Customers who were told a fact about a thing, once for each fact")
MESSAGES_PENDING = _gauge("messages_pending", "Durable messages between profiles on their way")
DEAD_LETTERS = _counter("dead_letters", "Inputs set aside")
CLOCK_JUMPS = _counter("clock_jumps", "Jumps of the machine's clock, as each part saw them")
CLOCK_BEHIND_SECONDS = _gauge("clock_behind_seconds", "By how much the machine's clock is ahead of the engine's")
SHARD_EPOCH = _gauge("shard_epoch", "How often this shard's store has been opened: a step is a restart")

METRICS: tuple[Metric, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))


class Histogram:
    """The observations of one series of a histogram, counted by bucket."""

    def __init__(self, metric: Metric, tags: tuple[str, ...]) -> None:
        self.metric, self.tags = metric, tags
        self.sum = 0.0
        self._counts = [0] * (len(metric.bounds) + 1)
        self._told = 0

    def add(self, value: float) -> None:
        """One observation; a bound belongs to the bucket below it."""
        self._counts[bisect_left(self.metric.bounds, value)] += 1
        self.sum += value

    def has_news(self) -> bool:
        """Whether something was added since the last call."""
        before, self._told = self._told, sum(self._counts)
        return self._told != before

    @property
    def counts(self) -> list[int]:
        """How many observations lie in each bucket; the last one is for those above all bounds."""
        return list(self._counts)

    def upto(self) -> dict[str, int]:
        """How many observations are not above each bound, as Prometheus spells it in `le`."""
        edges = [*(str(bound) for bound in self.metric.bounds), "+Inf"]
        return dict(zip(edges, accumulate(self._counts), strict=True))


class Meter(Protocol):
    """Keeps measurements. Tag values come in the order of the metric's tags."""

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        """One observation of a histogram."""
        ...

    def histogram(self, metric: Metric, *tags: str) -> Histogram:
        """The histogram of a series, for a caller that observes often: what is added to it is told."""
        ...

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        """A counter went up by `more`, which may be 0."""
        ...

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        """A counter whose sum the caller keeps, from 0 on, stands at `total`."""
        ...

    def set(self, metric: Metric, value: float, *tags: str) -> None:
        """A gauge stands at `value`."""
        ...


class NoMeter:
    """Keeps nothing: simulations, and shells without Ray."""

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        """Nothing."""

    def histogram(self, metric: Metric, *tags: str) -> Histogram:
        """One that nobody tells."""
        return Histogram(metric, tags)

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        """Nothing."""

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        """Nothing."""

    def set(self, metric: Metric, value: float, *tags: str) -> None:
        """Nothing."""
