"""Takes authorised messages from the shards, hands them to their providers, and says what the providers said.

authorise turn → durable `handing_over` → provider → settle turn (design §4a). A hand-over that runs past its deadline,
or is found half-way by a new dispatcher, is `unknown` and is never sent again blindly. A dispatcher enlists with each
shard under an epoch of its own; the shards refuse one that was replaced, and it ends. On a replay clock the conductor
decides when: the dispatcher then only hands over what a window brought, and answers the calls that move the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors import backup, logs
from actors.channels import open_adapters
from actors.channels.adapter import Adapter, Message
from actors.channels.rendering import Renderer
from actors.clock import stopwatch
from actors.conductor import Conductor
from actors.fence import epoch_of
from actors.meter import HAND_OVER_SECONDS, Meter, NoMeter
from actors.placement import pinned, shard_of, socket_of
from actors.shard_link import ShardLink
from actors.standing import Standing
from actors.windows import Outcome
from actors.wire import FrameServer, Reply
from engine.catalog.compiled import Catalog, Channel
from engine.errors import Fenced, NotReady, Refused, SegueError, Unavailable, Unknown

_HAND_OVER_S = 30.0
_GRACE_S = 5.0  # the adapter's own deadline comes first: only it knows whether anything may have left
_PAUSE_S = 0.2
_FIND_S = 0.5
_VERSIONS_KEPT = 8

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

log = logging.getLogger(__name__)


class Dispatcher:
    """One per engine. `serve` works until `close`, which lets hand-overs that have begun come to their end."""

    def __init__(
        self,
        standing: Standing,
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
        self._standing, self._environ = standing, environ
        self._renderers: dict[str, Renderer] = {}
        self._adapters: dict[str, Adapter] = {}
        self._retired: list[Adapter] = []
        self._channels: Mapping[str, Channel] = {}
        self._take(standing.read())
        self._links = [ShardLink(shard) for shard in shards]
        self._sockets = list(shards)
        self._public_url = public_url
        self._server = FrameServer(path, self._receive)
        self._is_replay = is_replay
        self._conductor: Conductor | None = None
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._data = data
        self._backing_up = asyncio.Lock()
        self._meter = meter or NoMeter()

    async def serve(self) -> None:
        """Pull, hand over and settle until closed. Raises Fenced when a newer dispatcher has taken over."""
        await self._server.start()
        name = await self._take_name()
        following = asyncio.create_task(self._standing.follow(self._version, self._take))
        if self._is_replay:
            owner = lambda profile: shard_of(profile, len(self._links))  # noqa: E731
            self._conductor = Conductor(self._links, owner, self._hand_over_all, name)
        else:
            for link in self._links:
                self._begin(self._lane(link, name))
                self._begin(self._find_pins(link, name))
        await self._closing.wait()
        following.cancel()
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(adapter.close() for adapter in (*self._adapters.values(), *self._retired)))
        await self._server.close()

    def close(self) -> None:
        """Pull nothing more."""
        self._closing.set()

    def _take(self, catalog: Catalog) -> None:
        """Render and send by another catalog too. A shard may be a moment behind, so the last ones stay known, and what
        is under way keeps its adapter."""
        self._version = catalog.version
        self._renderers.pop(catalog.version, None)
        self._renderers[catalog.version] = Renderer(catalog.templates)
        for version in list(self._renderers)[:-_VERSIONS_KEPT]:
            del self._renderers[version]
        if self._channels != catalog.channels:
            self._channels = catalog.channels
            self._retired += self._adapters.values()
            self._adapters = open_adapters(catalog.channels, self._environ)

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

    def _receive(self, op: str, payload: bytes, reply: Reply) -> None:
        if op == "ping":
            reply.send(b"")
            return
        if op == "backup" and self._data is not None:
            self._begin(self._back_up(self._data, payload, reply))
            return
        if op != "advance" or not self._is_replay:
            raise SegueError(f"{op} needs a replay clock")
        if self._conductor is None:
            raise NotReady("no shard answers yet")
        self._begin(self._advance(self._conductor, payload, reply))

    async def _advance(self, conductor: Conductor, payload: bytes, reply: Reply) -> None:
        watermark_ms, drain = _decode(payload)
        try:
            reply.send(_encode(await conductor.advance(watermark_ms, drain=drain)))
        except Fenced:
            reply.fail(NotReady("another dispatcher has taken over"))
            raise
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    async def _back_up(self, data: Path, payload: bytes, reply: Reply) -> None:
        """A copy of the whole engine; on a replay clock between two moves of it."""
        directory, keys = _decode(payload)
        at_rest = self._conductor.at_rest() if self._conductor is not None else contextlib.nullcontext()
        try:
            async with self._backing_up, at_rest:
                made = await backup.of_running(self._links, backup.order(data, directory, keys))
            reply.send(_encode(made))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    async def _lane(self, link: ShardLink, name: str, home: ShardLink | None = None) -> None:
        """One shard's messages, for as long as the engine runs; of a pinned profile, until `_find_pins` ends it.

        What its messages came to is told to a pinned profile's home, which knows where it lives by then.
        """
        is_enlisted = False
        while not self._closing.is_set() and not link.is_over:
            try:
                if not is_enlisted:
                    await link.enlist(name)
                    is_enlisted = True
                messages = await link.pull()
            except Fenced:
                if home is None or not is_enlisted:
                    raise
                is_enlisted = False  # a new process of this profile, which has heard of nobody yet
                continue
            except SegueError:
                await asyncio.sleep(_PAUSE_S)
                continue
            if messages:
                await (home or link).settle(await self._hand_over_all(messages))

    async def _find_pins(self, home: ShardLink, name: str) -> None:
        """A lane for each pinned profile of a shard, soon after it has got a process of its own."""
        lanes: dict[str, ShardLink] = {}
        while not self._closing.is_set():
            with contextlib.suppress(SegueError):
                current = await home.pins()
                for profile in set(lanes) - set(current):
                    lanes.pop(profile).end()
                for profile in set(current) - set(lanes):
                    lanes[profile] = ShardLink(socket_of(pinned(profile), self._sockets))
                    self._begin(self._lane(lanes[profile], name, home))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _FIND_S)
        for link in lanes.values():
            link.end()

    async def _hand_over_all(self, messages: list[dict[str, Any]]) -> list[Outcome]:
        return list(await asyncio.gather(*(self._hand_over(message) for message in messages)))

    async def _hand_over(self, message: dict[str, Any]) -> Outcome:
        """One message to its provider; whatever happens has one of the named outcomes."""
        outcome, detail, began_s = "unknown", "no answer in time", stopwatch()
        try:
            if message["version"] not in self._renderers and "template_text" not in message["content"]:
                self._take(self._standing.read())  # a shard that is a moment ahead
            rendered = self._render(message)
            sending = self._adapters[message["channel"]].send(rendered)
            detail = await asyncio.wait_for(sending, _HAND_OVER_S + _GRACE_S)
            outcome = "sent"
        except Refused as error:
            outcome, detail = "refused", error.message
        except Unavailable as error:
            outcome, detail = "retry", error.message
        except Unknown as error:
            detail = error.message
        except TimeoutError:
            pass
        except Exception as error:  # the outermost loop of this shell: a provider's surprise may have sent
            detail = type(error).__name__
            logs.fault(log, "hand_over_failed", error, send_id=message["send"])
        self._meter.observe(HAND_OVER_SECONDS, stopwatch() - began_s, message["channel"], outcome)
        return Outcome(message["profile"], message["send"], outcome, detail)

    def _render(self, message: dict[str, Any]) -> Message:
        content, opt_out = message["content"], f"{self._public_url}/u/{message['opt_out']}"
        values = {name: message[name] for name in ("traits", "event", "action", "language")}
        values["unsubscribe_url"] = opt_out
        values["confirm_address_url"] = f"{self._public_url}/c/{message['confirm']}" if message["confirm"] else ""
        template = content.get("template")
        if "template_text" in content:  # of a version that its shard has left behind
            renderer = Renderer({template: content["template_text"]})
        else:
            renderer = self._renderers.get(message["version"]) or self._renderers[self._version]
        if template is not None:
            rendered = renderer.render(template, content["subject"], values)
        else:
            rendered = renderer.render_plain(content, values)
        return Message(
            send_id=message["send"],
            channel=message["channel"],
            address=message["address"],
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            at_ms=message["at_ms"],
            idempotency_key=message["send"],
            deadline_s=_HAND_OVER_S,
            unsubscribe_url=opt_out,
        )
