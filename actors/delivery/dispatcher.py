"""Takes authorised messages from the shards, hands them to their providers, and says what the providers said.

authorise turn → durable `handing_over` → provider → settle turn (design §4a). A hand-over that runs past its deadline,
or is found half-way by a new dispatcher, is `unknown` and is never sent again blindly. From each shard a lane leads to
each channel: a slow provider holds up nobody else's mail, and each message is settled when it is done.

A dispatcher enlists with each shard under an epoch of its own; the shards refuse one that was replaced, and it ends. On
a replay clock the conductor decides when: the dispatcher then only hands over what a window brought, and answers the
calls that move the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.channel_pull import ChannelPull
from actors.delivery.handover import Hands
from actors.delivery.pacing import PATIENCE_S
from actors.delivery.settling import Settling
from actors.delivery.shard_link import ShardLink
from actors.maintenance import backup
from actors.platform.meter import Meter, NoMeter
from actors.replay_clock.conductor import Conductor
from actors.shard.outbox.fence import epoch_of
from actors.shard.queries.sandbox_log import bounded
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Ping, Pong, Request
from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_doors import Advance, Advanced, BackUp, BackupMade
from actors.transport.placement import pinned, shard_of, socket_of
from engine.catalog.compiled import Catalog
from engine.errors import Fenced, NotReady, SegueError

_PAUSE_S = 0.2
_FIND_S = 0.5


class Dispatcher:
    """One per engine. `serve` works until `close`, which lets hand-overs that have begun come to their end."""

    def __init__(
        self,
        active_catalog: ActiveCatalog,
        shards: Sequence[str],
        path: str,
        *,
        public_url: str,
        is_replay: bool,
        environ: Mapping[str, str],
        data: Path | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`data` is the data directory; without one there is nothing to back up."""
        self._active_catalog = active_catalog
        self._hands = Hands(active_catalog, environ, public_url, meter or NoMeter())
        self._links = [ShardLink(shard) for shard in shards]
        self._sockets = list(shards)
        self._settling = {link: Settling(link) for link in self._links}
        self._pulled: dict[ShardLink, ShardLink] = {}  # a shard or a pinned profile → who is told of its messages
        self._pulls: set[ChannelPull] = set()
        self._name = ""
        self._is_replay = is_replay
        self._handlers: dict[type[Request[Any]], Callable[[Any, Reply], None]] = {
            Ping: lambda asked, reply: reply.send(Pong()),
            BackUp: self._receive_back_up,
            Advance: self._receive_advance,
        }
        self._server = FrameServer(path, self._receive, self._handlers)
        self._conductor: Conductor | None = None
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._data = data
        self._backing_up = asyncio.Lock()

    async def serve(self) -> None:
        """Pull, hand over and settle until closed. Raises Fenced when a newer dispatcher has taken over."""
        await self._server.start()
        self._name = await self._take_name()
        following = asyncio.create_task(self._active_catalog.follow(self._hands.version, self._take))
        if self._is_replay:
            owner = lambda profile: shard_of(profile, len(self._links))  # noqa: E731
            self._conductor = Conductor(self._links, owner, self._hand_over_all, self._name)
        else:
            self._pulled = {link: link for link in self._links}
            self._open_pulls()
            for link in self._links:
                self._begin(self._find_pins(link))
        await self._closing.wait()
        following.cancel()
        self._hands.stop()
        while self._tasks:  # a lane may still have been given something, which goes back
            await asyncio.gather(*self._tasks)
        for link in self._pulled:
            link.end()
        await self._hands.close()
        await self._server.close()

    def close(self) -> None:
        """Pull nothing more."""
        self._closing.set()

    def _take(self, catalog: Catalog) -> None:
        self._hands.take(catalog)
        self._open_pulls()

    async def _take_name(self) -> str:
        """An epoch above all that the shards know. One that is down now may know a higher one: then it refuses us."""
        known: list[str] = []
        while not known and not self._closing.is_set():
            answers = await asyncio.gather(*(link.known() for link in self._links), return_exceptions=True)
            known = [answer for answer in answers if isinstance(answer, str)]
            if not known:
                await asyncio.sleep(_PAUSE_S)
        return f"{1 + max(map(epoch_of, known), default=0)}.{uuid.uuid4().hex[:8]}"

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What fails here has been replaced: `serve` then ends with its error."""
        if task.exception() is None:
            self._tasks.discard(task)
        else:
            self._closing.set()

    def _receive(self, request: Request[Any], reply: Reply) -> None:
        self._handlers[type(request)](request, reply)

    def _receive_back_up(self, request: BackUp, reply: Reply) -> None:
        if self._data is None:
            raise SegueError("there is nothing to back up")
        self._begin(self._back_up(self._data, request, reply))

    def _receive_advance(self, request: Advance, reply: Reply) -> None:
        if not self._is_replay:
            raise SegueError("only a replay clock can be moved")
        if self._conductor is None:
            raise NotReady("no shard answers yet")
        self._begin(self._advance(self._conductor, request, reply))

    async def _advance(self, conductor: Conductor, request: Advance, reply: Reply) -> None:
        try:
            reached = await conductor.advance(request.watermark_ms, drain=request.drain)
            reply.send(Advanced(reached["now"], reached["pendingTimers"]))
        except Fenced:
            reply.fail(NotReady("another dispatcher has taken over"))
            raise
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    async def _back_up(self, data: Path, request: BackUp, reply: Reply) -> None:
        """A copy of the whole engine; on a replay clock between two moves of it."""
        at_rest = self._conductor.at_rest() if self._conductor is not None else contextlib.nullcontext()
        try:
            async with self._backing_up, at_rest:
                made = await backup.of_running(self._links, backup.order(data, request.directory, request.keys))
            reply.send(BackupMade(made))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    def _open_pulls(self) -> None:
        """A lane from every shard to every channel, where there is none yet."""
        self._pulls = {pull for pull in self._pulls if pull.is_open}
        known = {(pull.link, pull.gate) for pull in self._pulls}
        for link, home in self._pulled.items():
            for channel, gate in self._hands.gates.items():
                if (link, gate) not in known:
                    pull = ChannelPull(link, channel, gate, self._settling[home])
                    self._pulls.add(pull)
                    self._begin(self._keep(pull, is_pinned=link is not home))

    async def _keep(self, pull: ChannelPull, *, is_pinned: bool) -> None:
        """One shard's messages for one channel, for as long as there are both; of a pinned profile, until `_find_pins`
        ends it."""
        is_enlisted = False
        while not self._closing.is_set() and pull.is_open:
            try:
                if not is_enlisted:
                    await pull.link.enlist(self._name)
                    is_enlisted = True
                messages = await pull.fetch(len(self._pulled))
            except Fenced:
                if not is_pinned or not is_enlisted:
                    raise
                is_enlisted = False  # a new process of this profile, which has heard of nobody yet
                continue
            except SegueError:
                await asyncio.sleep(_PAUSE_S)
                continue
            for message in messages:
                self._begin(self._deliver(message, pull))

    async def _deliver(self, message: dict[str, Any], pull: ChannelPull) -> None:
        """One message's way. What it came to is told to its shard; of a pinned profile to its home, which knows where
        it lives by then."""
        try:
            outcome = await self._hands.hand_over(message, PATIENCE_S, pull.ask_again)
        finally:
            pull.gate.done()
        await pull.settling.tell(outcome)

    async def _find_pins(self, home: ShardLink) -> None:
        """Lanes for each pinned profile of a shard, soon after it has got a process of its own."""
        pins: dict[str, ShardLink] = {}
        while not self._closing.is_set():
            with contextlib.suppress(SegueError):
                current = await home.pins()
                for profile in set(pins) - set(current):
                    self._pulled.pop(pins[profile])
                    pins.pop(profile).end()
                for profile in set(current) - set(pins):
                    pins[profile] = ShardLink(socket_of(pinned(profile), self._sockets))
                    self._pulled[pins[profile]] = home
                self._open_pulls()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FIND_S)

    async def _hand_over_all(self, messages: list[dict[str, Any]]) -> list[Outcome]:
        return bounded(await asyncio.gather(*(self._hands.hand_over(message) for message in messages)))
