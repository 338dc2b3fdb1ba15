"""A shard behind its socket: requests that wait form a group, share one commit, and are answered after it.

On the wall clock the server also fires timers, carries messages to other profiles and gives ready sends to the
dispatcher. On a replay clock it does none of these by itself: the conductor moves it, window by window.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.catalog_files.active_catalog import ActiveCatalog, Follower
from actors.platform.clock import stopwatch
from actors.platform.meter import Meter, NoMeter
from actors.replay_clock.windows import Windows
from actors.serving import catalog_switch
from actors.serving.barrier import Barrier
from actors.serving.gauges import Gauges
from actors.serving.inbound_relay import InboundRelay
from actors.serving.intake import Finish, Intake, Mail, in_time
from actors.serving.lease_requests import LeaseRequests, wanted
from actors.serving.message_sender import MessageSender
from actors.serving.migration import Migration, Pins
from actors.serving.pending import Pending
from actors.serving.pulls import Pulls
from actors.shard.outbox import handing_out
from actors.shard.outbox.fence import Fence
from actors.shard.outbox.outbox import Waiting
from actors.shard.queries.queries import letter, read
from actors.shard.set_aside import dead_letter_actions
from actors.shard.shard import Shard
from actors.storage.lost_files import Lookout
from actors.transport.messages.of_dispatcher import Span
from actors.transport.wire import FrameServer, Reply
from engine.errors import NotReady, Parked, SegueError
from engine.inputs import AnyInput, Rejected

_TIMERS_IN_A_GROUP = 200
_IDLE_S = 0.5
_PASSIVATE_S = 60.0  # a profile that nothing reached for so long leaves memory
_SYNCED_LATER = frozenset(("run", "peek"))  # a `run` syncs by itself what must be, the `rest` at its end all of it
_OF_DISPATCHER = frozenset(
    ("outbox", "authorise", "settle", "run", "rest", "peek")
)  # refused to all but the newest dispatcher

_encode = msgspec.msgpack.Encoder().encode
_from_dispatcher = msgspec.msgpack.Decoder(tuple[str, bytes])
_rejected = msgspec.msgpack.Decoder(list[tuple[str, Rejected, str]])
_staged = msgspec.msgpack.Decoder(list[tuple[str, AnyInput, int]])
_span = msgspec.msgpack.Decoder(Span)
_rest = msgspec.msgpack.Decoder(tuple[int, list[tuple[str, int]]])


class ShardServer:
    """Serves one shard until it is closed. All of it runs on one event loop; only the sync of a commit leaves it.
    Without `standing`, the shard keeps the catalog that it has."""

    def __init__(
        self,
        shard: Shard,
        path: str,
        peers: Sequence[str],
        *,
        windows: Windows | None = None,
        pins: Pins | None = None,
        active_catalog: ActiveCatalog | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.shard, self.path = shard, path
        self._windows = windows
        self._work = asyncio.Event()
        self._fence = Fence(shard)
        self._barrier = Barrier(shard)
        self._server = FrameServer(path, self._receive)
        self._sender = MessageSender(shard, peers, self._work.set)
        self._intake = Intake(shard, self._server, lambda profile: len(self._parked.get(profile, ())))
        self._relay = InboundRelay(shard, peers)
        self._leases = LeaseRequests(shard, peers[0], self._work.set)
        self._migration = Migration(shard, peers, self._work.set, pins, self._barrier)
        self._gauges = Gauges(meter or NoMeter(), shard, lambda: len(self._intake))
        self._parked: defaultdict[str, list[Mail]] = defaultdict(list)
        self._pending = Pending(shard)
        self._pulls = Pulls(shard, self._fence)
        self._pings: list[Reply] = []
        self._sweep_s = 0.0  # by the loop's clock
        self._lookout = Lookout(shard.batch)
        self._closing = False
        self._follower = Follower(active_catalog, self._work.set)

    async def serve(self) -> None:
        """Listen and work until `close`. Raises NotReady where the disk takes no more: then nothing of the last group
        is acknowledged, and this shard in memory is not to be believed."""
        await self._server.start()
        self._migration.resume()
        self._follower.start(self.shard.catalog.version)
        await self._leases.first()
        try:
            while not self._closing:
                await self._wait_for_work()
                await self._one_group()
            self.shard.commit(final=True)
        finally:
            self._follower.close()
            self._leases.close()
            self._migration.close()
            self._relay.close()
            self._sender.close()
            await self._server.close()
            self.shard.batch.close()

    def close(self) -> None:
        """Finish the group at hand, then stop."""
        self._closing = True
        self._work.set()

    # -- the loop

    def _receive(self, op: str, payload: bytes, reply: Reply) -> None:
        if op == "ping":  # a sign of life: answered when a group is done, however much waits
            self._pings.append(reply)
        else:
            self._intake.receive(op, payload, reply)
        self._work.set()

    async def _wait_for_work(self) -> None:
        if self._intake or self._pings or self.shard.setting_back.is_busy:
            await asyncio.sleep(0)
            return
        self._work.clear()
        pause_s = _IDLE_S
        if self._windows is None:
            now_ms = self.shard.clock.now_ms()
            due_ms = self.shard.timers.next_ms()
            for at_ms in (due_ms, self._pulls.next_ms()):
                if at_ms is not None:
                    pause_s = min(pause_s, max(0.0, (at_ms - now_ms) / 1000))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._work.wait()

    async def _one_group(self) -> None:
        """What waits, up to a bound: turns, one commit, then the answers and what follows from them."""
        finishes: list[Finish] = []
        if (catalog := self._follower.take()) is not None:
            catalog_switch.adopt(self.shard, catalog)
        self._lookout.look(asyncio.get_running_loop().time())
        self._leases.work()
        mail = self._intake.mail()
        is_durable = self._windows is None or bool(mail)
        for op, payload, reply in self._intake.calls():
            is_durable |= op not in _SYNCED_LATER
            self._handle(op, payload, reply, finishes)
        for waiting in in_time(mail):
            self._turn(waiting, finishes)
        if self._windows is None:
            for _ in range(_TIMERS_IN_A_GROUP):
                now_ms, due_ms = self.shard.clock.now_ms(), self.shard.timers.next_ms()
                if due_ms is None or not self.shard.fire_timers(now_ms):
                    break
                self._gauges.fired(now_ms - due_ms)
            self._pulls.answer(finishes)
            self._migration.work(finishes)
            self._unpark(finishes)
        turned_s = stopwatch()
        self.shard.commit(sync=False)
        if is_durable and not self.shard.is_synced:  # a group of reads has nothing to wait for
            self.shard.sync()
        self._pending.release()
        for finish in finishes:
            finish()
        while self._pings:
            self._pings.pop().send(b"")
        durable_s = stopwatch()
        await asyncio.sleep(0)  # the answers leave before the books are kept
        self._gauges.committed(turned_s, durable_s, is_durable)
        if self._windows is None:
            self._sender.carry()
            self.shard.setting_back.work()
            if not self._intake:
                self.shard.retention.work()  # the next commit has it
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._sweep_s and self.shard.passivate_idle():
            self._sweep_s = now_s + _PASSIVATE_S

    def _handle(self, op: str, payload: bytes, reply: Reply, finishes: list[Finish]) -> None:
        try:
            if op in _OF_DISPATCHER:
                dispatcher, payload = _from_dispatcher.decode(payload)
                self._fence.check(dispatcher)
            if op == "outbox":
                self._pulls.ask(dispatcher, payload, reply)
            elif op == "authorise":
                name, profile, send = msgspec.msgpack.decode(payload)
                given = Waiting(profile, send, 0, f"{dispatcher}.{name}")
                answer = _encode(handing_out.authorise(self.shard, given, given.dispatcher))
                finishes.append(lambda: reply.send(answer))
            elif op == "deliver" and not self._barrier.is_down:
                self._relay.deliver(payload, reply, finishes)
            elif op == "settle":
                self._relay.settle(dispatcher, payload, reply, finishes)
            elif not self._migration.handle(op, payload, reply, finishes):
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
        if op == "deliver":
            return []  # a barrier is down
        if op == "retry":
            return {"status": dead_letter_actions.retry(shard, msgspec.msgpack.decode(payload))}
        if op == "letter":
            return letter(shard, shard.dead.get(msgspec.msgpack.decode(payload)))
        if op == "set_aside":
            for profile, told, reason in _rejected.decode(payload):
                dead_letter_actions.set_aside(shard, profile, told, reason)
            return None
        if op == "lease":
            return [shard.leases.grant(each) for each in wanted.decode(payload)]
        if op == "discard":
            shard.dead.take(msgspec.msgpack.decode(payload))
            return {"status": "discarded"}
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

    # -- turns that somebody waits for

    def _turn(self, mail: Mail, finishes: list[Finish]) -> None:
        profile, began_s = mail.profile, stopwatch()
        try:
            finish = mail.done(self.shard.tell(profile, mail.told))
            self._gauges.turned(mail, began_s)
        except Parked as error:
            if self._windows is None:
                self._parked[profile].append(mail)
            else:
                finishes.append(mail.failed(error))
        except NotReady:  # as above
            raise
        except Exception as error:  # the outermost loop of this shell, as above
            finishes.append(mail.failed(error))
        else:
            if self._windows is not None or not self._pending.hold(mail, finish):
                finishes.append(finish)

    def _unpark(self, finishes: list[Finish]) -> None:
        """What waited for a profile to become a tombstone is told now: its callers learn where it moved."""
        while self.shard.unparked:
            for mail in self._parked.pop(self.shard.unparked.pop(), []):
                self._turn(mail, finishes)
