"""The replay clock on one shard: inputs are staged, and told when the clock reaches their time
(`docs/design/virtual-time.md`).

Time is cut into windows on a fixed grid. At the start of a window the shard takes what other shards and providers have
sent in the window before: messages in the order of (sender, sequence), then outcomes. Then it authorises the sends that
are ready. Within the window it runs its staged inputs and its timers by itself in the order of time, inputs before
timers at one instant. Messages and sends that arise leave at the start of the next window. So a customer's fate depends
neither on how inputs were batched nor on the number of shards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from actors.platform.clock import ReplayClock
from actors.shard import anonymous_receipts
from actors.shard.outbox import handing_out
from actors.shard.shard import Shard
from actors.shard.things.facts import Progress
from actors.shard.things.pump import interested
from actors.storage import keys
from actors.transport.messages.carried import Message
from actors.transport.messages.of_dispatcher import Report, Span
from engine import codec
from engine.inputs import AnyInput, Fact, Settle

WINDOW_MS = 10_000  # also how late a message between two profiles can be
FOR_EVER_MS = 1 << 52  # until nothing is pending


@dataclass(slots=True)
class Staged:
    """An input that waits for its time."""

    key: bytes
    profile: str
    told: AnyInput


@dataclass(slots=True)
class Windows:
    """The replay side of one shard. It owns the shard's clock."""

    shard: Shard
    clock: ReplayClock
    _staged: list[Staged] = field(default_factory=list)
    _position: int = 0  # in `_staged`: the inputs before it were told
    _number: int = 0  # of the input that was staged last
    _open: int = -1  # the last window that was entered
    _parked: dict[str, list[Staged]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock.move_to(self.shard.meta("clock", 0))
        self._open = self.clock.now_ms() // WINDOW_MS  # entered before a restart
        for key, value in self.shard.scan("staged"):
            profile, packed = msgspec.msgpack.decode(codec.unseal(value, "staged"))
            self._staged.append(Staged(key, profile, codec.decode_input(packed)))
            self._number = max(self._number, int.from_bytes(key[8:]))

    def stage(self, inputs: list[tuple[str, AnyInput, int]]) -> None:
        """Keep (profile, input, time) until the clock reaches its time. Durable after the shard's next commit."""
        for profile, told, at_ms in inputs:
            self._number += 1
            key = keys.staged_key(max(0, at_ms), self._number)
            packed = msgspec.msgpack.encode([profile, codec.encode_input(told)])
            self.shard.batch.put("staged", key, codec.seal(packed), profile)
            self._staged.append(Staged(key, profile, told))
        waiting = self._staged[self._position :]
        waiting.sort(key=lambda item: item.key)
        self._staged, self._position = waiting, 0

    def take(self, fact: Fact) -> bool:
        """Keep a fact about a thing until the clock reaches its time; False where it is known already. Durable after
        the shard's next commit."""
        return self.shard.facts.take(fact, max(fact.at_ms, self.clock.now_ms()))

    def peek(self) -> Report:
        """The pending work, without running anything."""
        self._drop_forgotten()
        self._reconsider()
        window = max(self._open, self.clock.now_ms() // WINDOW_MS)
        return Report(window, self.next_window(window), self.pending_messages(), now_ms=self.clock.now_ms())

    def run(self, span: Span) -> Report:
        """Run a span. It ends after the first window with a message or a send that a shard or a provider must take."""
        self._settle_messages(span.arrived)
        self._drop_forgotten()
        self._reconsider()
        self.shard.is_running_out = span.until_ms >= FOR_EVER_MS
        report = Report(span.first, None)
        self._enter(span.first, span, report)
        self._run_until(min(span.until_ms, _end(span.first)))
        # A message that its profile could not take yet is brought again; it must find this shard at the start of the
        # very next window, so the shard does not run ahead.
        while not (self._has_output(report) or len(report.arrived) < len(span.messages)):
            following = self.next_window(report.window)
            if following is None or not report.window < following <= span.last:
                break
            report.window = following
            self._enter(following, Span(following, following, span.until_ms, span.dispatcher), report)
            self._run_until(min(span.until_ms, _end(following)))
        report.messages = self.pending_messages()
        report.next_window = self.next_window(report.window)
        self.shard.put_meta("clock", self.clock.now_ms())  # after a crash it goes on here, not at the last rest
        # A power cut must not take back the turn for which a mail was handed over, or a message whose sender was told
        # that it has arrived. A turn with a message may be lost: it is repeated, and its message arrives once.
        self.shard.commit(sync=bool(report.hand_overs or report.arrived))
        return report

    def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """All that was due is done: set the clock to `now_ms` and sync. Returns the number of pending timers."""
        self._settle_messages(arrived)
        self.clock.move_to(now_ms)
        anonymous_receipts.forget(self.shard.batch, now_ms)
        self.shard.facts.forget(now_ms)
        self.shard.put_meta("clock", self.clock.now_ms())
        self.shard.commit()
        return len(self.shard.timers)

    def pending_messages(self) -> list[Message]:
        """All messages of this shard's profiles that have not arrived, in (sender, sequence) order."""
        return [
            Message(keys.profile_of(key), int.from_bytes(key[keys.PROFILE_BYTES :]), to, told)
            for key, (to, told) in sorted(self.shard.messages.items())
        ]

    def next_window(self, after: int) -> int | None:
        """The next window in which this shard has something to do by itself. Staged inputs and timers may still be in
        the window `after`, sends leave at the start of a later one."""
        waiting = (self._next_staged_ms(), self.shard.facts.next_ms(), self.shard.timers.next_ms())
        times = [due for due in waiting if due is not None]
        windows = [max(due // WINDOW_MS, after) for due in times]
        ready_ms = self.shard.outbox.next_ms()
        if ready_ms is not None:  # it leaves at the first start of a window at or after its time
            windows.append(max(after + 1, -(-ready_ms // WINDOW_MS)))
        return min(windows, default=None)

    def _next_staged_ms(self) -> int | None:
        if self._position == len(self._staged):
            return None
        return int.from_bytes(self._staged[self._position].key[:8])

    def _has_output(self, report: Report) -> bool:
        ready_ms = self.shard.outbox.next_ms()
        ready = ready_ms is not None and ready_ms <= (report.window + 1) * WINDOW_MS
        return ready or bool(self.shard.messages) or bool(report.hand_overs or report.arrived or report.untaken)

    def _reconsider(self) -> None:
        """Where the catalog has changed, everybody looks anew at the instant at which the clock stands."""
        while self.shard.reconsidering.is_busy:
            self.shard.reconsidering.work()
            self.shard.commit(sync=False)

    def _settle_messages(self, arrived: list[tuple[str, int]]) -> None:
        for sender, seq in arrived:
            self.shard.message_done(keys.message_key(sender, seq))

    def _enter(self, window: int, span: Span, report: Report) -> None:
        """The start of a window: take the messages and outcomes of the window before. A window is entered once, however
        often the clock stops in it."""
        if window <= self._open:
            assert window == self._open and not span.messages and not span.outcomes, (
                "what arose before a window is taken at its start"
            )
            return
        self._open = window
        self.clock.move_to(window * WINDOW_MS)
        for message in sorted(span.messages, key=lambda message: (message.sender, message.seq)):
            if self.shard.deliver(message.to, message.told, message.sender, message.seq):
                report.arrived.append((message.sender, message.seq))
        self._drop_forgotten()
        self._forward_parked()
        for said in sorted(span.outcomes, key=lambda said: (said.profile, said.send)):
            settle = Settle(send_id=said.send, outcome=said.outcome, detail=said.detail)
            if self.shard.tell_or_forward(said.profile, settle):
                self.shard.sandbox.keep(said)
            else:
                report.untaken.append(said)  # its profile is moving
        for entry in self.shard.outbox.ready(self.clock.now_ms()):
            authorised = handing_out.authorise(self.shard, entry, span.dispatcher)
            if authorised is not None:
                report.hand_overs.append(authorised)

    def _run_until(self, until_ms: int) -> None:
        """Tell the staged inputs and the facts and fire the timers up to `until_ms`, in the order of time. At one
        instant inputs come before facts, and timers last."""
        while True:
            staged_ms, timer_ms = self._next_staged_ms(), self.shard.timers.next_ms()
            fact_ms = self.shard.facts.next_ms()
            later_ms = timer_ms if fact_ms is None else fact_ms if timer_ms is None else min(fact_ms, timer_ms)
            if staged_ms is not None and staged_ms <= until_ms and (later_ms is None or staged_ms <= later_ms):
                self.clock.move_to(staged_ms)
                self._tell_staged(self._staged[self._position])
                self._position += 1
            elif fact_ms is not None and fact_ms <= until_ms and fact_ms == later_ms:
                self.clock.move_to(fact_ms)
                self._tell_fact()
            elif timer_ms is not None and timer_ms <= until_ms:
                self.clock.move_to(timer_ms)
                self.shard.fire_timers(self.clock.now_ms())
            else:
                return

    def _tell_staged(self, staged: Staged) -> None:
        waiting = self._parked.get(staged.profile)
        if waiting is None and self.shard.tell_or_forward(staged.profile, staged.told):
            self.shard.batch.put("staged", staged.key, None)
        else:
            self._parked.setdefault(staged.profile, []).append(staged)

    def _tell_fact(self) -> None:
        """Tell the first fact that waits to everybody here who is interested in its thing, by their ids."""
        shard, facts = self.shard, self.shard.facts
        shard.follow_interests()
        name = facts.first()
        fact = facts.fact(name)
        told = [profile for profile in interested(facts, shard.catalog, fact) if not facts.is_told(profile, fact)]
        for profile in told:
            if profile in self._parked or not shard.tell_or_forward(profile, fact):
                self._number += 1
                staged = Staged(keys.staged_key(self.clock.now_ms(), self._number), profile, fact)
                packed = msgspec.msgpack.encode([profile, codec.encode_input(fact)])
                shard.batch.put("staged", staged.key, codec.seal(packed), profile)
                self._parked.setdefault(profile, []).append(staged)
        facts.totals["told"] += len(told)
        facts.finish(name, Progress(told=facts.progress(name).told + len(told)), self.clock.now_ms())

    def _drop_forgotten(self) -> None:
        """Staged inputs of a person who was erased go too; the store has dropped them already."""
        gone = set(self.shard.forgotten)
        self.shard.forgotten.clear()
        if gone:
            waiting = self._staged[self._position :]
            self._staged, self._position = [item for item in waiting if item.profile not in gone], 0
            for profile in gone:
                self._parked.pop(profile, None)

    def _forward_parked(self) -> None:
        """Inputs that waited for a profile while it was moving are told, in order: it is a tombstone, which they
        follow, or it stays here after all."""
        for profile in self.shard.unparked:
            waiting = self._parked.pop(profile, [])
            while waiting and self.shard.tell_or_forward(profile, waiting[0].told):
                self.shard.batch.put("staged", waiting.pop(0).key, None)
            if waiting:  # it is moving again
                self._parked[profile] = waiting
        self.shard.unparked.clear()


def _end(window: int) -> int:
    return (window + 1) * WINDOW_MS - 1
