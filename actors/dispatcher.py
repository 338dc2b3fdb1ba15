"""Takes authorised messages from the shards, hands them to their providers, and says what the providers said.

authorise turn → durable `handing_over` → provider → settle turn (design §4a). A hand-over that runs past its deadline,
or is found half-way by a new dispatcher, is `unknown` and is never sent again blindly. On a replay clock the conductor
decides when: the dispatcher then only hands over what a window brought, and answers the calls that move the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.channels import open_adapters
from actors.channels.adapter import Message
from actors.channels.rendering import Renderer
from actors.conductor import Conductor
from actors.placement import shard_of
from actors.windows import Outcome, Report, Span
from actors.wire import FrameClient, FrameServer, Reply
from engine.catalog.compiled import Catalog
from engine.errors import NotReady, Refused, SegueError, Unavailable, Unknown

_PULL_MOST = 64
_HAND_OVER_S = 30.0
_GRACE_S = 5.0  # the adapter's own deadline comes first: only it knows whether anything may have left
_PAUSE_S = 0.2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_report = msgspec.msgpack.Decoder(Report)
_outcomes = msgspec.msgpack.Decoder(list[Outcome])

log = logging.getLogger(__name__)


class ShardLink:
    """A shard behind its socket, as the dispatcher and the conductor ask it."""

    def __init__(self, path: str) -> None:
        self._client = FrameClient(path)

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        return _report.decode(await self._ask("run", span))

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Put the replay clock."""
        return int(_decode(await self._ask("rest", (now_ms, arrived))))

    async def peek(self) -> Report:
        """What is pending."""
        return _report.decode(await self._ask("peek", None))

    async def disown(self, dispatcher: str) -> int:
        """Give up what another dispatcher was handing over."""
        return int(_decode(await self._ask("disown", dispatcher)))

    async def pull(self, dispatcher: str) -> list[dict[str, Any]]:
        """Messages that are authorised and durably `handing_over`; waits a moment where there are none."""
        found: list[dict[str, Any]] = _decode(await self._ask("outbox", (dispatcher, _PULL_MOST)))
        return found

    async def settle(self, outcomes: list[Outcome]) -> None:
        """Say what providers said, again until the shard has it."""
        while outcomes:
            with contextlib.suppress(NotReady):
                outcomes = _outcomes.decode(await self._ask("settle", outcomes))
            if outcomes:
                await asyncio.sleep(_PAUSE_S)

    async def _ask(self, op: str, what: Any) -> bytes:
        return await self._client.call(op, _encode(what))


class Dispatcher:
    """One per engine. `serve` works until `close`, which lets hand-overs that have begun come to their end."""

    def __init__(
        self,
        catalog: Catalog,
        shards: Sequence[str],
        path: str,
        *,
        public_url: str,
        is_replay: bool,
        environ: Mapping[str, str],
    ) -> None:
        self._id = uuid.uuid4().hex
        self._adapters = open_adapters(catalog.channels, environ)
        self._renderer = Renderer(catalog.templates)
        self._links = [ShardLink(shard) for shard in shards]
        self._public_url = public_url
        self._server = FrameServer(path, self._receive)
        self._is_replay = is_replay
        self._conductor = Conductor(
            self._links, lambda profile: shard_of(profile, len(shards)), self._hand_over_all, self._id
        )
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Pull, hand over and settle until closed."""
        await self._server.start()
        lanes = [] if self._is_replay else [asyncio.create_task(self._lane(link)) for link in self._links]
        await self._closing.wait()
        await asyncio.gather(*lanes, *self._tasks)
        await asyncio.gather(*(adapter.close() for adapter in self._adapters.values()))
        await self._server.close()

    def close(self) -> None:
        """Pull nothing more."""
        self._closing.set()

    def _receive(self, op: str, payload: bytes, reply: Reply) -> None:
        if op != "advance" or not self._is_replay:
            reply.fail(SegueError(f"{op} needs a replay clock"))
            return
        task = asyncio.create_task(self._advance(payload, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advance(self, payload: bytes, reply: Reply) -> None:
        watermark_ms, drain = _decode(payload)
        try:
            reply.send(_encode(await self._conductor.advance(watermark_ms, drain=drain)))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    async def _lane(self, link: ShardLink) -> None:
        """One shard's messages, for as long as the engine runs."""
        while not self._closing.is_set():
            try:
                messages = await link.pull(self._id)
            except SegueError:
                await asyncio.sleep(_PAUSE_S)
                continue
            if messages:
                await link.settle(await self._hand_over_all(messages))

    async def _hand_over_all(self, messages: list[dict[str, Any]]) -> list[Outcome]:
        return list(await asyncio.gather(*(self._hand_over(message) for message in messages)))

    async def _hand_over(self, message: dict[str, Any]) -> Outcome:
        """One message to its provider; whatever happens has one of the named outcomes."""
        outcome, detail = "unknown", "no answer in time"
        try:
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
            log.exception("hand_over_failed send_id=%s", message["send"])
        return Outcome(message["profile"], message["send"], outcome, detail)

    def _render(self, message: dict[str, Any]) -> Message:
        content, opt_out = message["content"], f"{self._public_url}/u/{message['opt_out']}"
        values = {name: message[name] for name in ("traits", "event", "action", "language")}
        values["unsubscribe_url"] = opt_out
        template, renderer = content.get("template"), self._renderer
        if "template_text" in content:  # a version that this dispatcher was not started with
            renderer = Renderer({template: content["template_text"]})
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
