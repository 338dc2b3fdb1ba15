"""Takes authorised messages from the shards, hands them to their providers, and tells the shards the outcomes.

authorise turn → durable `handing_over` → provider → settle turn (`docs/design/hand-over.md`). A hand-over that runs
past its deadline, or is found half-way by a new dispatcher, is `unknown` and is never sent again blindly. Each shard's
messages are fetched channel by channel: a slow provider holds up nobody else's mail, and each message is settled when
it is done.

A dispatcher enlists with each shard under an epoch of its own. The shards refuse a dispatcher that was replaced, and it
ends. On a replay clock the conductor decides when messages go: the dispatcher then only hands over the messages of each
window, and answers the calls that move the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.channel_pull import ChannelPull
from actors.delivery.handover import Handover
from actors.delivery.pacing import PATIENCE_S
from actors.delivery.sandbox_messages import bounded
from actors.delivery.settling import Settling
from actors.delivery.shard_link import ShardLink
from actors.platform.meter import Meter, NoMeter
from actors.transport.dispatcher_name import epoch_of
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Ping, Pong, Request
from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_doors import Advance, Advanced, BackUp, BackupMade
from actors.transport.placement import pinned, shard_of, socket_of
from engine.catalog.compiled import Catalog
from engine.errors import Fenced, NotReady, SegueError

_PAUSE_S = 0.2  # before a shard that does not answer is asked again
_FIND_S = 0.5  # between two looks for profiles that were pinned or unpinned


class ReplayConductor(Protocol):
    """Moves the replay clock of all shards (`actors.replay_clock.conductor`)."""

    def at_rest(self) -> AbstractAsyncContextManager[object]:
        """While this is held, the clock stands still."""
        ...

    async def advance(self, watermark_ms: int, *, drain: bool = False) -> dict[str, int]:
        """Move the clock; returns where it stands then, and the number of pending timers."""
        ...


HandOverAll = Callable[[list[dict[str, Any]]], Awaitable[list[Outcome]]]
# Given: the shards, the shard of a profile, the function that hands messages over, and the dispatcher's name.
MakeConductor = Callable[[Sequence[ShardLink], Callable[[str], int], HandOverAll, str], ReplayConductor]
# Given: the shards, the folder of the copy, and the folder of the keys where one was named. Returns the contents.
MakeBackup = Callable[[Sequence[ShardLink], str, str | None], Awaitable[dict[str, Any]]]


class Dispatcher:
    """One per engine. `serve` works until `close`, which lets hand-overs that have begun come to their end."""

    def __init__(
        self,
        active_catalog: ActiveCatalog,
        shards: Sequence[str],
        path: str,
        *,
        public_url: str,
        environ: Mapping[str, str],
        conductor: MakeConductor | None = None,
        back_up: MakeBackup | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`conductor` is given on a replay clock and only there. `back_up` copies the engine; without it a backup is
        refused. Both are handed in, because a dispatcher knows nothing of clocks and stores: backups begin here only
        because this is the one process with a link to every shard, and on a replay clock the one that lets it rest."""
        self._active_catalog = active_catalog
        self._handover = Handover(active_catalog, environ, public_url, meter or NoMeter())
        self._links = [ShardLink(shard) for shard in shards]
        self._sockets = list(shards)
        self._settling = {link: Settling(link) for link in self._links}
        # By the link that messages are pulled from, a shard or a pinned profile: the shard that is told their outcomes.
        self._pulled: dict[ShardLink, ShardLink] = {}
        self._pulls: set[ChannelPull] = set()
        self._name = ""
        self._handlers: dict[type[Request[Any]], Callable[[Any, Reply], None]] = {
            Ping: lambda asked, reply: reply.send(Pong()),
            BackUp: self._receive_back_up,
            Advance: self._receive_advance,
        }
        self._server = FrameServer(path, self._receive, self._handlers)
        self._make_conductor = conductor
        self._conductor: ReplayConductor | None = None
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._back_up_with = back_up
        self._backing_up = asyncio.Lock()

    async def serve(self) -> None:
        """Pull, hand over and settle until closed. Raises Fenced when a newer dispatcher has taken over."""
        await self._server.start()
        self._name = await self._take_name()
        following = asyncio.create_task(self._active_catalog.follow(self._handover.version, self._take))
        if self._make_conductor is not None:
            self._conductor = self._make_conductor(self._links, self._shard_of, self._hand_over_all, self._name)
        else:
            self._pulled = {link: link for link in self._links}
            self._open_pulls()
            for link in self._links:
                self._begin(self._find_pins(link))
        await self._closing.wait()
        following.cancel()
        self._handover.stop()
        while self._tasks:  # a fetch under way may still bring messages, which go back to their shard
            await asyncio.gather(*self._tasks)
        for link in self._pulled:
            link.end()
        await self._handover.close()
        await self._server.close()

    def close(self) -> None:
        """Pull nothing more."""
        self._closing.set()

    def _shard_of(self, profile: str) -> int:
        return shard_of(profile, len(self._links))

    def _take(self, catalog: Catalog) -> None:
        self._handover.take(catalog)
        self._open_pulls()

    async def _take_name(self) -> str:
        """A name whose epoch is above all that the shards know. It asks until one shard answers; a shard that is down
        meanwhile may know a higher epoch, and will refuse this dispatcher."""
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
        """A task fails only where this dispatcher was replaced: then `serve` ends with the error of the task."""
        if task.exception() is None:
            self._tasks.discard(task)
        else:
            self._closing.set()

    def _receive(self, request: Request[Any], reply: Reply) -> None:
        self._handlers[type(request)](request, reply)

    def _receive_back_up(self, request: BackUp, reply: Reply) -> None:
        if self._back_up_with is None:
            raise SegueError("there is nothing to back up")
        self._begin(self._answer_backup(self._back_up_with, request, reply))

    def _receive_advance(self, request: Advance, reply: Reply) -> None:
        if self._make_conductor is None:
            raise SegueError("only a replay clock can be moved")
        if self._conductor is None:
            raise NotReady("no shard answers yet")
        self._begin(self._advance(self._conductor, request, reply))

    async def _advance(self, conductor: ReplayConductor, request: Advance, reply: Reply) -> None:
        try:
            reached = await conductor.advance(request.watermark_ms, drain=request.drain)
            reply.send(Advanced(reached["now"], reached["pendingTimers"]))
        except Fenced:
            reply.fail(NotReady("another dispatcher has taken over"))
            raise
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    async def _answer_backup(self, back_up: MakeBackup, request: BackUp, reply: Reply) -> None:
        """A copy of the whole engine. A replay clock stands still meanwhile."""
        at_rest = self._conductor.at_rest() if self._conductor is not None else contextlib.nullcontext()
        try:
            async with self._backing_up, at_rest:
                made = await back_up(self._links, request.directory, request.keys)
            reply.send(BackupMade(made))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    def _open_pulls(self) -> None:
        """A pull for every pair of shard and channel that has none yet."""
        self._pulls = {pull for pull in self._pulls if pull.is_open}
        known = {(pull.link, pull.pacer) for pull in self._pulls}
        for link, home in self._pulled.items():
            for channel, pacer in self._handover.pacers.items():
                if (link, pacer) not in known:
                    pull = ChannelPull(link, channel, pacer, self._settling[home])
                    self._pulls.add(pull)
                    self._begin(self._keep(pull, is_pinned=link is not home))

    async def _keep(self, pull: ChannelPull, *, is_pinned: bool) -> None:
        """Fetch and deliver for as long as there are both the shard and the channel. The pull of a pinned profile is
        ended by `_find_pins`."""
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
                is_enlisted = False  # the profile has a new process, which does not know this dispatcher yet
                continue
            except SegueError:
                await asyncio.sleep(_PAUSE_S)
                continue
            for message in messages:  # a task each: the pacer orders them, and none waits for another's settling
                self._begin(self._deliver(message, pull))

    async def _deliver(self, message: dict[str, Any], pull: ChannelPull) -> None:
        """Hand one message over and settle it. The outcome of a pinned profile goes to its home shard, which knows
        where the profile lives by then."""
        try:
            outcome = await self._handover.hand_over(message, PATIENCE_S, pull.ask_again)
        finally:
            pull.pacer.done()
        await pull.settling.tell(outcome)

    async def _find_pins(self, home: ShardLink) -> None:
        """Keep a pull for each pinned profile of a shard, from soon after the profile has got its own process."""
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
        return bounded(await asyncio.gather(*(self._handover.hand_over(message) for message in messages)))
