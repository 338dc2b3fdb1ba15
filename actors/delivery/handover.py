"""Renders authorised messages and hands them to their providers. Whatever happens ends in one of the named outcomes:
`sent` or `simulated`, `refused` (final), `retry` (surely not sent), `unknown` (may have been sent), `not_begun`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery import sandbox_messages
from actors.delivery.channels import open_adapters
from actors.delivery.channels.adapter import Adapter, Message
from actors.delivery.channels.letter import letter
from actors.delivery.channels.rendering import Renderer
from actors.delivery.pacing import NotBegun, Pacer
from actors.platform import logs
from actors.platform.clock import stopwatch
from actors.platform.meter import HAND_OVER_SECONDS, Meter
from actors.transport.messages.carried import Outcome
from engine.catalog.compiled import Catalog, Channel
from engine.errors import Refused, Unavailable, Unknown
from engine.vocabulary import Settlement

REST: Final = ""  # stands for all channels on which nothing can be sent
_HAND_OVER_S = 30.0
_GRACE_S = 5.0  # so that the adapter's own deadline comes first: only it knows whether anything may have left
_FRESH_S = 0.5  # how old an authorisation may be when the dialogue begins
_VERSIONS_KEPT = 8  # catalogs whose templates stay known: shards adopt a new one a little later

AskAgain = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]

log = logging.getLogger(__name__)


class _Answered(NamedTuple):
    """The outcome of a message; the provider's reference or the reason; and the message that a sandbox was given."""

    outcome: Settlement
    detail: str = ""
    said: bytes = b""


class Handover:
    """One per dispatcher."""

    def __init__(
        self, active_catalog: ActiveCatalog, environ: Mapping[str, str], public_url: str, meter: Meter
    ) -> None:
        self._active_catalog, self._environ = active_catalog, environ
        self._public_url, self._meter = public_url, meter
        self._renderers: dict[str, Renderer] = {}
        self._adapters: dict[str, Adapter] = {}
        self._retired: list[Adapter] = []
        self._channels: Mapping[str, Channel] | None = None
        self.pacers: dict[str, Pacer] = {}
        self.version = ""
        self.take(active_catalog.read())

    def take(self, catalog: Catalog) -> None:
        """Render and send by this catalog from now on. A shard may still go by an earlier one, so the templates of the
        last few stay known; and a message that is under way keeps its adapter."""
        self.version = catalog.version
        self._renderers.pop(catalog.version, None)
        self._renderers[catalog.version] = Renderer(catalog.templates)
        for version in list(self._renderers)[:-_VERSIONS_KEPT]:
            del self._renderers[version]
        if self._channels != catalog.channels:
            self._channels = catalog.channels
            self._retired += self._adapters.values()
            self._adapters = open_adapters(catalog.channels, self._environ)
            self._set_pacers()

    def _set_pacers(self) -> None:
        """A pacer for each channel that can send. Messages that wait for a channel that has gone go back."""
        places = {REST: 1, **{channel: adapter.places for channel, adapter in self._adapters.items()}}
        known = {channel: pacer for channel, pacer in self.pacers.items() if pacer.places == places.get(channel)}
        for channel, pacer in self.pacers.items():
            if channel not in known:
                pacer.close()
        self.pacers = {channel: known.get(channel) or Pacer(count) for channel, count in places.items()}

    def stop(self) -> None:
        """Begin no more hand-overs."""
        for pacer in self.pacers.values():
            pacer.close()

    async def close(self) -> None:
        """Give up all connections."""
        await asyncio.gather(*(adapter.close() for adapter in (*self._adapters.values(), *self._retired)))

    async def hand_over(
        self, message: dict[str, Any], patience_s: float | None = None, ask_again: AskAgain | None = None
    ) -> Outcome:
        """Hand one message to its provider when its turn has come; `not_begun` where that takes longer than
        `patience_s`. The deadline of the hand-over begins with its turn.

        The authorisation of a message that had to wait is stale, so `ask_again` is asked for the message as it is by
        then; None says that it may not go.
        """
        pacer, came_s = self.pacers.get(message["channel"], self.pacers[REST]), stopwatch()
        try:
            async with pacer.turn(patience_s):
                if ask_again is not None and stopwatch() - came_s >= _FRESH_S:
                    message = await ask_again(message) or _not_begun()
                began_s = stopwatch()
                answered = await self._ask(message)
                if answered.outcome != "not_begun":
                    took_s = stopwatch() - began_s
                    self._meter.observe(HAND_OVER_SECONDS, took_s, message["channel"], answered.outcome)
        except NotBegun:
            answered = _Answered("not_begun")
        return Outcome(message["profile"], message["send"], *answered)

    async def _ask(self, message: dict[str, Any]) -> _Answered:
        try:
            if message["version"] not in self._renderers and "templates" not in message["content"]:
                self.take(self._active_catalog.read())  # the shard goes by a newer catalog already
            adapter = self._adapters.get(message["channel"])
            if adapter is None:
                return _Answered("not_begun")  # the channel has just gone; nothing is fetched for it meanwhile
            rendered = self._render(message)
        except Refused as error:
            return _Answered("refused", error.message)
        except Exception as error:  # whatever it is, the provider has been told nothing yet, so it is surely not sent
            logs.fault(log, "message_not_rendered", error, send_id=message["send"])
            return _Answered("retry", type(error).__name__)
        try:
            reference = await asyncio.wait_for(adapter.send(rendered), _HAND_OVER_S + _GRACE_S)
            said = sandbox_messages.packed(rendered) if adapter.accepted == "simulated" else b""
            return _Answered(adapter.accepted, reference, said)
        except Refused as error:
            return _Answered("refused", error.message)
        except Unavailable as error:
            return _Answered("retry", error.message)
        except Unknown as error:
            return _Answered("unknown", error.message)
        except TimeoutError:
            return _Answered("unknown", "no answer in time")
        except Exception as error:  # an adapter's fault that nobody foresaw: the message may have been sent
            logs.fault(log, "hand_over_failed", error, send_id=message["send"])
            return _Answered("unknown", type(error).__name__)

    def _render(self, message: dict[str, Any]) -> Message:
        renderer = self._renderers.get(message["version"]) or self._renderers[self.version]
        return letter(message, renderer, self._public_url, _HAND_OVER_S)


def _not_begun() -> NoReturn:
    raise NotBegun
