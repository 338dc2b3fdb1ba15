"""A shard behind its socket: requests that wait form a group, share one commit, and are answered after it.

On the wall clock the server also fires timers, carries messages to other profiles and gives ready sends to the
dispatcher. On a replay clock it does none of these by itself: the conductor moves it, window by window.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors import keys
from actors.barrier import Barrier
from actors.courier import Courier
from actors.fence import Fence
from actors.readings import read
from actors.shard import Parked, Shard
from actors.windows import Message, Outcome, Span, Windows
from actors.wire import FrameServer, Reply
from engine.errors import Moved, NotReady, SegueError
from engine.inputs import AnyInput, Event, Settle
from engine.profile import Profile

GROUP_MAX = 256
_TIMERS_IN_A_GROUP = 200
_PULL_S = 1.0
_IDLE_S = 0.5
_SYNCED_LATER = frozenset(("run", "peek"))  # a move of the replay clock is synced once, by the `rest` at its end
_OF_DISPATCHER = frozenset(("outbox", "settle", "run", "rest", "peek"))  # refused to all but the newest dispatcher

_encode = msgspec.msgpack.Encoder().encode
_events = msgspec.msgpack.Decoder(list[tuple[str, Event]])
_from_dispatcher = msgspec.msgpack.Decoder(tuple[str, bytes])
_told = msgspec.msgpack.Decoder(tuple[str, AnyInput])
_staged = msgspec.msgpack.Decoder(list[tuple[str, AnyInput, int]])
_messages = msgspec.msgpack.Decoder(list[Message])
_outcomes = msgspec.msgpack.Decoder(list[Outcome])
_span = msgspec.msgpack.Decoder(Span)
_rest = msgspec.msgpack.Decoder(tuple[int, list[tuple[str, int]]])

Finish = Callable[[], None]


class _Ingest:
    """A frame of events: answered when each has its outcome and every absorb that it started is durable on both
    sides."""

    __slots__ = ("open", "reply", "results")

    def __init__(self, reply: Reply, size: int) -> None:
        self.reply = reply
        self.results = [""] * size
        self.open = size

    def settle(self, index: int, result: str) -> None:
        self.results[index] = result
        self.open -= 1

    def finish(self) -> None:
        if self.open == 0:
            self.reply.send(_encode(self.results))


class ShardServer:
    """Serves one shard until it is closed. All of it runs on one event loop; only the sync of a commit leaves it."""

    def __init__(self, shard: Shard, path: str, peers: Sequence[str], *, windows: Windows | None = None) -> None:
        self.shard = shard
        self.path = path
        self._windows = windows
        self._fence = Fence(shard)
        self._barrier = Barrier(shard)
        self._server = FrameServer(path, self._receive)
        self._courier = Courier(shard, peers, self._wake)
        self._queue: deque[tuple[str, bytes, Reply]] = deque()
        self._work = asyncio.Event()
        self._parked: defaultdict[str, list[tuple[str, bytes, Any]]] = defaultdict(list)
        self._absorbing: defaultdict[str, list[tuple[_Ingest, int, str]]] = defaultdict(list)
        self._pulls: deque[tuple[float, str, int, Reply]] = deque()
        self._pings: list[Reply] = []
        self._closing = False

    async def serve(self) -> None:
        """Listen and work until `close`. Raises NotReady where the disk takes no more: then nothing of the last group
        is acknowledged, and this shard in memory is not to be believed."""
        await self._server.start()
        try:
            while not self._closing:
                await self._wait_for_work()
                await self._one_group()
            self.shard.commit()
        finally:
            self._courier.close()
            await self._server.close()
            self.shard.batch.close()

    def close(self) -> None:
        """Finish the group at hand, then stop."""
        self._closing = True
        self._work.set()

    # -- the loop

    def _wake(self) -> None:
        self._work.set()

    def _receive(self, op: str, payload: bytes, reply: Reply) -> None:
        if op == "ping":  # a sign of life: answered when a group is done, however much waits
            self._pings.append(reply)
        else:
            self._queue.append((op, payload, reply))
        self._work.set()

    async def _wait_for_work(self) -> None:
        if self._queue or self._pings:
            await asyncio.sleep(0)
            return
        self._work.clear()
        pause_s = _IDLE_S
        if self._windows is None:
            now_ms = self.shard.clock.now_ms()
            due_ms = self.shard.timers.next_ms()
            ready_ms = self.shard.outbox.next_ms() if self._pulls else None
            for at_ms in (due_ms, ready_ms):
                if at_ms is not None:
                    pause_s = min(pause_s, max(0.0, (at_ms - now_ms) / 1000))
        try:
            await asyncio.wait_for(self._work.wait(), pause_s)
        except TimeoutError:
            return

    async def _one_group(self) -> None:
        """Everything that waits, up to a bound: turns, one commit, then the answers and what follows from them."""
        finishes: list[Finish] = []
        is_durable = self._windows is None
        for _ in range(min(len(self._queue), GROUP_MAX)):
            op, payload, reply = self._queue.popleft()
            is_durable |= op not in _SYNCED_LATER
            self._handle(op, payload, reply, finishes)
        if self._windows is None:
            for _ in range(_TIMERS_IN_A_GROUP):
                if not self.shard.fire_timers(self.shard.clock.now_ms()):
                    break
            self._answer_pulls(finishes)
            self._unpark(finishes)
            if not self._queue:
                self.shard.retention.work()
        self.shard.commit(sync=False)
        if is_durable and not self.shard.is_synced:  # a group of reads has nothing to wait for
            await asyncio.get_running_loop().run_in_executor(None, self.shard.sync)
        self._release_absorbed()
        for finish in finishes:
            finish()
        while self._pings:
            self._pings.pop().send(b"")
        if self._windows is None:
            self._courier.carry()

    def _handle(self, op: str, payload: bytes, reply: Any, finishes: list[Finish]) -> None:
        try:
            if op in _OF_DISPATCHER:
                dispatcher, payload = _from_dispatcher.decode(payload)
                self._fence.check(dispatcher)
            if op == "ingest":
                self._ingest(_Ingest(reply, 0), _events.decode(payload), finishes)
            elif op == "tell":
                self._tell(payload, reply, finishes)
            elif op == "outbox":
                pull, most = msgspec.msgpack.decode(payload)
                self.shard.disown(dispatcher)  # an absorb may have brought what an older one was handing over
                deadline = asyncio.get_running_loop().time() + _PULL_S
                self._pulls.append((deadline, f"{dispatcher}.{pull}", most, reply))
            else:
                answer = _encode(self._simple(op, payload))
                finishes.append(lambda: reply.send(answer))
        except NotReady:  # a commit inside the request failed: the whole group with it
            raise
        except Exception as error:  # the outermost loop of this shell: one bad request must not harm its group
            fault = error
            finishes.append(lambda: reply.fail(fault))

    def _simple(self, op: str, payload: bytes) -> Any:
        shard, windows = self.shard, self._windows
        if op == "read":
            return read(shard, *msgspec.msgpack.decode(payload))
        if op == "settle":
            return [said for said in _outcomes.decode(payload) if not self._settle(said)]
        if op == "deliver":
            told = [] if self._barrier.is_down else _messages.decode(payload)
            return [(m.sender, m.seq) for m in told if shard.deliver(m.to, m.told, m.sender, m.seq)]
        if op == "dispatcher":
            return self._fence.dispatcher
        if op == "barrier":
            return self._barrier.ask(*msgspec.msgpack.decode(payload))
        if op == "enlist":
            return self._fence.enlist(msgspec.msgpack.decode(payload))
        if windows is None:
            raise SegueError(f"{op} needs a replay clock")
        if op == "stage":
            windows.stage(_staged.decode(payload))
            return None
        if op == "run":
            return windows.run(_span.decode(payload))
        if op == "rest":
            return windows.rest(*_rest.decode(payload))
        if op == "peek":
            return windows.peek()
        raise SegueError(f"a shard does not know {op}")

    def _settle(self, said: Outcome) -> bool:
        """False while the send's profile is on its way to another one."""
        settle = Settle(send_id=said.send, outcome=said.outcome, detail=said.detail)
        return self.shard.tell_or_forward(said.profile, settle)

    # -- turns that somebody waits for

    def _ingest(self, frame: _Ingest, events: list[tuple[str, Event]], finishes: list[Finish]) -> None:
        frame.results, frame.open = [""] * len(events), len(events)
        for index, (profile, event) in enumerate(events):
            self._ingest_one(frame, index, profile, event)
        finishes.append(frame.finish)

    def _ingest_one(self, frame: _Ingest, index: int, profile: str, event: Event) -> None:
        try:
            status = self.shard.tell(profile, event).status
        except Moved as moved:
            frame.settle(index, f"moved:{moved.to}")
        except Parked:
            if self._windows is not None:
                frame.settle(index, "busy")
            else:
                self._parked[profile].append(("ingest", b"", (frame, index, event)))
        except SegueError as error:
            frame.settle(index, f"rejected:{error}")
        else:
            record = self.shard.record(profile)
            if self._windows is None and isinstance(record, Profile) and record.absorbing:
                self._absorbing[profile].append((frame, index, status))
            else:
                frame.settle(index, status)

    def _tell(self, payload: bytes, reply: Reply, finishes: list[Finish]) -> None:
        profile, told = _told.decode(payload)
        try:
            done = self.shard.tell(profile, told)
        except Parked:
            if self._windows is not None:
                raise
            self._parked[profile].append(("tell", payload, reply))
            return
        if done.status == "failed":
            raise SegueError("this could not be handled; it was set aside")
        answer = _encode(done.value)
        finishes.append(lambda: reply.send(answer))

    def _unpark(self, finishes: list[Finish]) -> None:
        """What waited for a profile to become a tombstone is told now: its callers learn where it moved."""
        while self.shard.unparked:
            profile = self.shard.unparked.pop()
            for op, payload, whom in self._parked.pop(profile, []):
                if op == "ingest":
                    frame, index, event = whom
                    self._ingest_one(frame, index, profile, event)
                    finishes.append(frame.finish)
                else:
                    self._handle(op, payload, whom, finishes)

    def _release_absorbed(self) -> None:
        """Answer for absorbs that are done: taken in here, and a tombstone over there, which our last message makes."""
        if not self._absorbing:
            return
        telling = {keys.profile_of(key) for key in self.shard.messages}
        for profile in list(self._absorbing):
            record = self.shard.record(profile)
            if not isinstance(record, Profile) or not (record.absorbing or profile in telling):
                for frame, index, status in self._absorbing.pop(profile):
                    frame.settle(index, status)
                    frame.finish()

    # -- what leaves the shard

    def _answer_pulls(self, finishes: list[Finish]) -> None:
        now_s = asyncio.get_running_loop().time()
        while self._pulls:
            deadline, pull, most, reply = self._pulls[0]
            if not reply.connection.is_open:  # nothing must be given to a dispatcher that has died
                self._pulls.popleft()
                reply.fail(NotReady("the connection was lost"))
                continue
            ready = self.shard.outbox.ready(self.shard.clock.now_ms(), most, pull)
            if not ready and now_s < deadline:
                return
            self._pulls.popleft()
            found = [message for entry in ready if (message := self.shard.authorise(entry, pull)) is not None]
            answer = _encode(found)
            finishes.append(lambda reply=reply, answer=answer: reply.send(answer))  # type: ignore[misc]
