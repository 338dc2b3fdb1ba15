"""The metrics of a shard's server: how long inputs wait, how long turns and commits take, and what the shard holds.

An opt-out is timed until silence is certain: the opt-out is durable, and no dispatcher has a send of that profile in
its hands any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from actors.platform import meter as m
from actors.platform.clock import stopwatch
from actors.platform.meter import Meter
from actors.serving.intake import Mail
from actors.shard.figures.freshness import Freshness
from actors.shard.shard import Shard
from engine.consent import statements
from engine.errors import InvalidInput
from engine.inputs import ConsentChange, Decide, Event, Input
from engine.readings import identity_figures as of

_UPDATE_S = 1.0  # between two updates of the totals; a group takes only milliseconds


class Gauges:
    """One per server. `depth` gives the number of requests that wait."""

    def __init__(self, meter: Meter, shard: Shard, depth: Callable[[], int]) -> None:
        self._meter, self._shard, self._depth = meter, shard, depth
        self._turns = 0
        self._opted_out: dict[str, float] = {}
        self._not_yet_silent: dict[str, float] = {}
        self._updated_s = 0.0
        # The shard counts over its store's whole life, a metric from the start of the process.
        self._before = Counter(shard.counts) + Counter(shard.sends)
        self._resolved_before = Counter(shard.resolved)
        shard.counters.freshness = self._freshness = Freshness(meter)
        self._dead_before, self._told_before = shard.dead.last, shard.facts.totals["told"]

    def turned(self, mail: Mail, began_s: float) -> None:
        """An input has had its turn, which began at `began_s` by the stopwatch."""
        self._turns += 1
        if isinstance(mail.told, Decide):
            self._meter.observe(m.DECIDE_SECONDS, began_s - mail.came_s, "queue")
            self._meter.observe(m.DECIDE_SECONDS, stopwatch() - began_s, "turn")
        elif self._withdraws_consent(mail.told):
            self._opted_out.setdefault(mail.profile, mail.came_s)

    def _withdraws_consent(self, told: Input) -> bool:
        """Whether an input withdraws a consent, by its own route or as an event."""
        if isinstance(told, ConsentChange):
            return not told.granted
        catalog = self._shard.catalog
        if not isinstance(told, Event) or not statements.carries(catalog, told.name):
            return False
        try:
            return any(not said.granted for said in statements.read(told, catalog))
        except InvalidInput:
            return False

    def fired(self, late_ms: int) -> None:
        """A turn fired timers that were due `late_ms` ago."""
        self._turns += 1
        self._meter.observe(m.TIMER_LATENESS_SECONDS, late_ms / 1000)

    def told(self, count: int) -> None:
        """So many customers were told a fact about a thing."""
        self._turns += count

    def committed(self, began_s: float, now_s: float, is_synced: bool) -> None:
        """A group was committed at `now_s`, durably where `is_synced`; its turns ended at `began_s`."""
        if self._turns and is_synced:
            self._meter.observe(m.COMMIT_SECONDS, now_s - began_s)
        self._turns = 0
        if is_synced:
            self._freshness.durable(self._shard.clock.now_ms())
        if self._opted_out:
            for profile, came_s in self._opted_out.items():
                self._not_yet_silent.setdefault(profile, came_s)
            self._opted_out.clear()
        if self._not_yet_silent:
            self._observe_silence(now_s)
        if now_s - self._updated_s >= _UPDATE_S:
            self._updated_s = now_s
            self._update()

    def _observe_silence(self, now_s: float) -> None:
        for profile in [each for each in self._not_yet_silent if not self._shard.outbox.has_handed(each)]:
            self._meter.observe(m.OPT_OUT_SECONDS, now_s - self._not_yet_silent.pop(profile))

    def _update(self) -> None:
        shard, meter = self._shard, self._meter
        for metric, value in (
            (m.QUEUE_DEPTH, self._depth()),
            (m.TIMERS_PENDING, len(shard.timers)),
            (m.OUTBOX_WAITING, len(shard.outbox)),
            (m.PROFILES, shard.profiles),
            (m.PROFILES_ACTIVE, len(shard.cache)),
            (m.CACHE_BYTES, shard.cache.bytes),
            (m.MESSAGES_PENDING, len(shard.messages)),
            (m.FACTS_WAITING, len(shard.facts)),
            (m.SHARD_EPOCH, shard.epoch),
            (m.CLOCK_BEHIND_SECONDS, shard.clock.behind_ms / 1000),
        ):
            meter.set(metric, value)
        meter.total(m.DEAD_LETTERS, shard.dead.last - self._dead_before)
        meter.total(m.FACTS_TOLD, shard.facts.totals["told"] - self._told_before)
        meter.total(m.CLOCK_JUMPS, shard.clock.jumps)
        for metric, totals in (
            (m.EVENTS, shard.counts),
            (m.SENDS, shard.sends),
            (m.TURNS, shard.counters.turns),
            (m.REFUSALS, shard.counters.refusals),
        ):
            for tag, total in totals.items():
                meter.total(metric, total - self._before[tag], tag)
        for metric, labelled in (
            (m.MESSAGES, shard.counters.messages),
            (m.SHOWN, shard.counters.shown),
            (m.EXPOSURES, shard.counters.exposures),
            (m.RUNS, shard.counters.runs),
        ):
            for series, total in labelled.news():
                meter.total(metric, total, *series)
        self._tell_hand_offs()
        self._update_identity()
        for source, (last_ms, oldest_ms) in shard.counters.lag().items():
            meter.set(m.SOURCE_LAST_EVENT_SECONDS, last_ms / 1000, source)
            meter.set(m.SOURCE_LAG_SECONDS, oldest_ms / 1000, source)

    def _tell_hand_offs(self) -> None:
        """Tell the changes of touchpoint since the last time."""
        handoffs, meter = self._shard.handoffs, self._meter
        while handoffs.news:
            told = handoffs.news.popleft()
            way = (told["from"], told["into"], told["by"])
            meter.observe(m.TRANSITION_SECONDS, told["tookMs"] / 1000, *way)
            meter.observe(m.TRANSITION_READY_SECONDS, told["readyMs"] / 1000, *way)
            meter.add(m.TRANSITIONS_MISSED, bool(told.get("missed")), *way)

    def _update_identity(self) -> None:
        """Tell who is who: what has happened since the start of the process, and what there is now."""
        meter, so_far = self._meter, Counter(self._shard.resolved)
        so_far.subtract(self._resolved_before)
        for who in (of.KNOWN, of.ANONYMOUS):
            meter.total(m.EVENTS_RESOLVED, so_far[who], who)
        meter.total(m.MERGES, so_far[of.MERGES])
        meter.total(m.SPLITS, so_far[of.SPLITS])
        people = self._shard.people.counts()
        if people is None:  # they are being counted
            return
        for who in (of.KNOWN, of.ANONYMOUS):
            meter.set(m.PROFILES_RESOLVED, people.get(who, 0), who)
        for edge in of.EDGES:
            meter.set(m.PROFILES_BY_IDENTIFIERS, people.get(of.identifiers_label(edge), 0), edge)
        for kind in of.REVIEW_KINDS:
            for state in of.REVIEW_STATES:
                meter.set(m.REVIEWS, people.get(of.review_label(kind, state), 0), kind, state)
        meter.set(m.PROFILES_LIKELY, people.get(of.LIKELY, 0))
        meter.set(m.SHARED_VALUES, people.get(of.SHARED, 0))
