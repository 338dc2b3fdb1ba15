"""The clients of a chaos run. They repeat each request, with the same ids, until it is acknowledged.

Each client owns some customers and does one thing at a time, so the order of a customer's deeds is certain. Answers of
the engine go into the ledger at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final

import httpx

from loadtest.chaos.ledger import Ledger
from loadtest.chaos.shop import Shopper
from loadtest.processes.engine import EngineError

_BATCH_MAX: Final = 10
_TIMEOUT_S: Final = 15.0
_DECIDES_SHARE, _RESENDS_SHARE = 0.1, 0.06
_RESENDABLE: Final = 200  # batches that a client remembers, to say one of them once more
_ASK_AGAIN: Final = frozenset((429, 502, 503, 504))
_ONE_CLICK: Final = {"List-Unsubscribe": "One-Click"}


@dataclass(slots=True)
class Traffic:
    """Counts of requests: acknowledged ones, batches that were sent again after that, and failed tries, each of which
    was repeated."""

    acknowledged: int = 0
    resent: int = 0
    refusals: Counter[str] = field(default_factory=Counter)  # by status, or by what happened to the connection


class Client:
    """A client that speaks for some customers."""

    def __init__(
        self,
        url: str,
        keys: Mapping[str, str],
        shoppers: Sequence[Shopper],
        ledger: Ledger,
        links: Mapping[str, str],
        traffic: Traffic,
        random: Random,
    ) -> None:
        self._shoppers, self._ledger, self._links, self._traffic = shoppers, ledger, links, traffic
        self._random = random
        self._keys = keys
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=_TIMEOUT_S)
        self._sent: list[list[dict[str, Any]]] = []
        self._asked = 0

    async def play(self, is_over: Callable[[], bool], pause_s: float) -> None:
        """All customers introduce themselves, then do things until it is over, and sign in at the end.

        `pause_s` is the mean time between two batches.
        """
        await self._batch([shopper.introduces_themselves(now_ms()) for shopper in self._shoppers])
        while not is_over():
            await asyncio.sleep(self._random.expovariate(1 / pause_s))
            await self._something()
        for shopper in self._shoppers:
            remaining = list(shopper.remaining_visits(now_ms()))
            if remaining:
                await self._batch(remaining)

    async def ask_again(self) -> dict[str, str]:
        """Ask for every decision of these customers once more, by its request id."""
        names = {shopper.name for shopper in self._shoppers}
        requests = [request for request, asker in self._ledger.askers.items() if asker in names]
        return {request: await self._ask(request, self._ledger.askers[request]) for request in requests}

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def _something(self) -> None:
        drawn = self._random.random()
        if drawn < _RESENDS_SHARE and self._sent:
            self._traffic.resent += 1
            await self._deliver(self._random.choice(self._sent))
        elif drawn < _RESENDS_SHARE + _DECIDES_SHARE:
            await self._decide(self._random.choice(self._shoppers))
        else:
            doing = self._random.choices(self._shoppers, k=self._random.randint(1, _BATCH_MAX))
            await self._batch([shopper.does(now_ms()) for shopper in doing])
            for shopper in {each.name: each for each in doing}.values():
                if shopper.opts_out_at and shopper.done >= shopper.opts_out_at:
                    shopper.opts_out_at = 0
                    await self._opt_out(shopper)

    async def _batch(self, batch: list[dict[str, Any]]) -> None:
        for event in batch:
            self._ledger.tell(*_entry(event))
        self._sent = [*self._sent[-_RESENDABLE:], batch]
        await self._deliver(batch)

    async def _deliver(self, batch: list[dict[str, Any]]) -> None:
        answer = await self._insist(lambda: self._http.post("/v1/batch", json={"batch": batch}, auth=self._write))
        if answer.json() != {"success": True}:
            self._ledger.fault(f"a batch was answered with {answer.text[:200]}")
        self._ledger.acknowledge([event["messageId"] for event in batch], now_ms())

    async def _decide(self, shopper: Shopper) -> None:
        self._asked += 1
        request = f"{shopper.name}-{self._asked}"
        self._ledger.decide(request, shopper.name, await self._ask(request, shopper.name))

    async def _ask(self, request: str, name: str) -> str:
        body = {"placement": "home_hero", "userId": name, "requestId": request}
        answer = await self._insist(lambda: self._http.post("/v1/decide", json=body, auth=self._write))
        return str(answer.json().get("decisionId"))

    async def _opt_out(self, shopper: Shopper) -> None:
        """Opt out by the link of a mail where there is one, by an event, or by the consent page of an account."""
        way, at_ms = self._random.choice(("link", "event", "account")), now_ms()
        link = self._links.get(shopper.name)
        if way == "event":
            await self._batch([shopper.opts_out(at_ms)])
        elif way == "link" and link is not None:
            await self._insist(lambda: self._http.post(link, data=_ONE_CLICK))
        else:
            said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "account"}
            body = {"identifiers": {"user_id": shopper.name}, **said, "at": at_ms}
            await self._insist(lambda: self._http.post("/v1/consent", json=body, headers=self._server))
        self._ledger.opt_out(shopper.name, now_ms())

    async def _insist(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The 2xx that a request gets in the end. It is repeated with the same ids until it is acknowledged.

        EngineError for an answer that no kill excuses.
        """
        while True:
            wait_s = self._random.uniform(0.05, 0.3)
            try:
                answer = await ask()
                if answer.is_success:
                    self._traffic.acknowledged += 1
                    return answer
                if answer.status_code not in _ASK_AGAIN:
                    raise EngineError(f"a client was answered {answer.status_code}: {answer.text[:200]}")
                wait_s += float(answer.headers.get("retry-after", 0))
                self._traffic.refusals[str(answer.status_code)] += 1
            except httpx.TransportError as error:
                self._traffic.refusals[type(error).__name__] += 1
            await asyncio.sleep(wait_s)

    @property
    def _write(self) -> tuple[str, str]:
        return self._keys["SEGUE_WRITE_KEY"], ""

    @property
    def _server(self) -> dict[str, str]:
        return {"x-api-key": self._keys["SEGUE_SERVER_KEY"]}


def now_ms() -> int:
    """The wall clock, which the engine on this machine reads too."""
    return time.time_ns() // 1_000_000


def _entry(event: Mapping[str, Any]) -> tuple[str, str, str, str, int]:
    name = event["messageId"].rpartition("-")[0]
    key = str(event.get("properties", {}).get("key", ""))
    at_ms = round(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)
    return event["messageId"], name, event.get("event", event["type"]), key, at_ms
