"""A shard behind its socket: requests that wait form a group, share one commit, and are answered after it.

On the wall clock the server also fires timers, sends messages to other profiles and gives ready sends to the
dispatcher. On a replay clock it does none of these by itself: the conductor moves it, window by window.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from actors.catalog_files.active_catalog import ActiveCatalog, Follower
from actors.platform.clock import stopwatch
from actors.platform.meter import Meter, NoMeter
from actors.replay_clock.windows import Windows
from actors.serving import catalog_switch
from actors.serving.barrier import Barrier
from actors.serving.gauges import Gauges
from actors.serving.handlers import SYNCED_LATER, Handlers
from actors.serving.inbound_relay import InboundRelay
from actors.serving.intake import Finish, Intake, Mail, in_time
from actors.serving.lease_requests import LeaseRequests
from actors.serving.message_sender import MessageSender
from actors.serving.migration import Migration, Pins
from actors.serving.pending import Pending
from actors.serving.pulls import Pulls
from actors.serving.things.elsewhere import FactsElsewhere
from actors.shard.outbox.fence import Fence
from actors.shard.shard import Shard
from actors.shard.standing import visits
from actors.shard.things.pump import Pump
from actors.storage.lost_files import Lookout
from actors.transport.clients import Clients
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Ping, Pong, Request
from actors.transport.messages.of_doors import Ingest, Tell
from engine.errors import Parked, StoreFailed

_TIMERS_IN_A_GROUP = 200
_TOLD_IN_A_GROUP = 24  # of a fact; some 4 ms of turns, for which a page may have to wait
_TOLD_BESIDE_MAIL = 8
_IDLE_S = 0.5  # between two groups of an idle shard: expired pulls, retention and passivation have no event to wake it
_PASSIVATE_S = 60.0  # a profile that no input reached for so long leaves memory


class ShardServer:
    """Serves one shard until it is closed. All of it runs on one event loop. Without `active_catalog`, the shard keeps
    the catalog that it has."""

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
        self._clients = Clients()
        self._sender = MessageSender(shard, peers, self._clients, self._work.set)
        self._relay = InboundRelay(shard, peers, self._clients)
        self._pump = Pump(shard, shard.tell_or_forward, shard.ownership.pinned, shard.ownership.has_left)
        self._elsewhere = FactsElsewhere(shard, self._pump, peers, self._clients, self._work.set)
        self._leases = LeaseRequests(shard, peers[0], self._clients, self._work.set)
        self._migration = Migration(shard, peers, self._clients, self._work.set, pins, self._barrier)
        self._pulls = Pulls(shard, self._fence)
        self._handlers = Handlers(shard, windows, self._fence, self._barrier, self._pulls, self._relay, self._migration)
        self._server = FrameServer(path, self._receive, (Ping, Ingest, Tell, *self._handlers.requests))
        self._intake = Intake(shard, self._server, lambda profile: len(self._parked.get(profile, ())))
        self._gauges = Gauges(meter or NoMeter(), shard, lambda: len(self._intake))
        self._parked: defaultdict[str, list[Mail]] = defaultdict(list)
        self._pending = Pending(shard)
        self._pings: list[Reply] = []
        self._sweep_s = 0.0  # by the loop's clock
        self._lookout = Lookout(shard.batch)
        self._closing = False
        self._follower = Follower(active_catalog, self._work.set)

    async def serve(self) -> None:
        """Listen and work until `close`. Raises StoreFailed where the disk takes no more: then nothing of the last
        group is acknowledged, and the shard in memory differs from its store."""
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
            self._elsewhere.close()
            self._clients.close()
            await self._server.close()
            self.shard.batch.close()

    def close(self) -> None:
        """Finish the group at hand, then stop."""
        self._closing = True
        self._work.set()

    # -- the loop

    def _receive(self, request: Request[Any], reply: Reply) -> None:
        if isinstance(request, Ping):  # a sign of life: answered when a group is done, however much waits
            self._pings.append(reply)
        else:
            self._intake.receive(request, reply)
        self._work.set()

    async def _wait_for_work(self) -> None:
        if self._intake or self._pings or self.shard.is_busy or self._is_rebuilding() or self._is_telling():
            await asyncio.sleep(0)  # lets the loop read the sockets between two groups
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

    def _is_rebuilding(self) -> bool:
        return self._windows is None and self.shard.rebuilding.is_busy  # on a replay clock only when matching asks

    def _is_telling(self) -> bool:
        return self._windows is None and self._pump.is_busy

    async def _one_group(self) -> None:
        """Handle the requests that wait, up to a bound: turns, one commit, then the answers and what follows them."""
        finishes: list[Finish] = []
        if (catalog := self._follower.take()) is not None:
            catalog_switch.adopt(self.shard, catalog)
        self._lookout.look(asyncio.get_running_loop().time())
        self._leases.work()
        mail = self._intake.mail()
        is_durable = self._windows is None or bool(mail)
        for request, reply in self._intake.calls():
            is_durable |= not isinstance(request, SYNCED_LATER)
            self._handlers.handle(request, reply, finishes)
        for waiting in in_time(mail):
            self._turn(waiting, finishes)
        if self._windows is None:
            for _ in range(_TIMERS_IN_A_GROUP):
                now_ms, due_ms = self.shard.clock.now_ms(), self.shard.timers.next_ms()
                if due_ms is None or not self.shard.fire_timers(now_ms):
                    break
                self._gauges.fired(now_ms - due_ms)
            if not any(waiting.is_urgent for waiting in mail):
                self._gauges.told(self._pump.work(_TOLD_BESIDE_MAIL if mail else _TOLD_IN_A_GROUP))
            self._pulls.answer(finishes)
            self._migration.work(finishes)
            self._unpark(finishes)
        turned_s = stopwatch()
        self.shard.commit(sync=False)
        if is_durable and not self.shard.batch.is_synced:  # a group of reads has nothing to wait for
            self.shard.batch.sync()
        self._pending.release()
        for finish in finishes:
            finish()
        while self._pings:
            self._pings.pop().send(Pong())
        durable_s = stopwatch()
        await asyncio.sleep(0)  # the answers leave before the metrics are updated
        self._gauges.committed(turned_s, durable_s, is_durable)
        self.shard.people.work()
        self.shard.standing.work()
        visits.work(self.shard)
        if self._windows is None:
            self._sender.send()
            self._elsewhere.send()
            self.shard.setting_back.work()
            self.shard.reconsidering.work()
            if not self._intake:
                self.shard.facts.forget(self.shard.clock.now_ms())  # the next group commits it
                self.shard.retention.work()
                self.shard.rebuilding.work()
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._sweep_s and self.shard.passivate_idle():
            self._sweep_s = now_s + _PASSIVATE_S

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
        except StoreFailed:  # a commit inside the turn failed: the whole group with it
            raise
        except Exception as error:  # the outermost loop of this shell: one bad input must not harm its group
            finishes.append(mail.failed(error))
        else:
            if self._windows is not None or not self._pending.hold(mail, finish):
                finishes.append(finish)

    def _unpark(self, finishes: list[Finish]) -> None:
        """Tell the inputs that waited for a profile on its way: where it became a tombstone, their callers learn its
        new address."""
        while self.shard.unparked:
            for mail in self._parked.pop(self.shard.unparked.pop(), []):
                self._turn(mail, finishes)
