"""The gateway, with which every route works: it knows callers, catalog and clock, and the way to the profiles. One per
ingress replica."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request

from actors.catalog_files.active_catalog import LOOK_S, ActiveCatalog
from actors.platform import diary, logs
from actors.platform.clock import WallClock, clock_file
from actors.platform.meter import EVENTS, HTTP_IN_FLIGHT, Meter
from actors.transport.frame_client import FrameClient
from actors.transport.messages.of_doors import Advance, BackUp
from actors.transport.router import Router
from engine.catalog.compiled import Catalog
from engine.consent import authority
from engine.errors import Forbidden, InvalidInput, NotReady, UsageError
from engine.seeds import profile_id
from engine.values.identifiers import PROFILE_ID, canonical_if_any, parse_reference
from engine.values.times import read_ms
from serve.http.auth import KeyRing, Principal, require_server, shows_key
from serve.http.body_key import write_key_of
from serve.http.protocol import Headers, headers_of
from serve.http.rates import Rates
from serve.http.user_hash import Proof

_ADOPT_S, _LOOK_S = 15.0, 0.05
_METRICS_S = 5.0
_NO_NAMES: Mapping[str, str] = {}
_OURS = re.compile(r"(# (HELP|TYPE) )?ray_segue_")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """The configuration of a replica; plain data, because it is sent to another process."""

    active_catalog: ActiveCatalog
    shards: tuple[str, ...]
    dispatcher: str
    keys: str  # the file of the keys
    is_replay: bool
    origins: tuple[str, ...]
    version: str
    direct_sockets: tuple[str, int] | None = None  # the folder of the replicas' own sockets, and how many there may be
    metrics: tuple[str, ...] = ()  # where the nodes of Ray show what was measured
    deadline_s: float = 0.0  # of a decision, past which its placement's default is the answer; 0: none
    public_url: str = ""  # by which others reach this engine
    directory: str = ""  # of the catalog, on the machine of the replica


class Gateway:
    """The knowledge and the connections of a replica of the ingress. Rules live in the engine."""

    def __init__(self, config: GatewayConfig, meter: Meter) -> None:
        self.config, self.meter = config, meter
        self.catalog = config.active_catalog.read()
        self.router = Router(config.shards)
        self.keys = KeyRing.read(Path(config.keys))
        self.in_flight: Callable[[], int] = lambda: 0
        self.counts: Counter[str] = Counter(
            rejected=0, quarantined=0, warned=0, unusable_address=0, unusable_identifier=0
        )  # of this replica
        self._wall = WallClock(clock_file(Path(config.shards[0]).parent))
        self._rates = Rates(self._wall)
        self._parsing = asyncio.Lock()
        self._look: asyncio.Task[list[Any]] | None = None
        self._dispatcher = FrameClient(config.dispatcher)

    async def follow(self) -> None:
        """Take over each new catalog and each change of the keys, until cancelled."""

        def adopt(catalog: Catalog) -> None:
            self.catalog = catalog

        active_catalog = self.config.active_catalog
        await asyncio.gather(active_catalog.follow(self.catalog.version, adopt), self._follow_keys(), self._count())

    async def _count(self) -> None:
        """Report what this replica refused or set aside; the shards report what they took."""
        while True:
            for status, count in self.counts.items():
                self.meter.total(EVENTS, count, status)
            self.meter.set(HTTP_IN_FLIGHT, self.in_flight())
            await asyncio.sleep(LOOK_S)

    async def _follow_keys(self) -> None:
        path, mark = Path(self.config.keys), None
        while True:
            try:
                found = path.stat()
                # Each change replaces the file, so the inode shows one for which the clock of the files is too coarse.
                if (found.st_ino, found.st_mtime_ns) != mark:
                    self.keys = KeyRing.read(path)
                    mark = (found.st_ino, found.st_mtime_ns)
            except (OSError, UsageError) as error:  # the keys that were read last stay in use
                logs.fault(log, "keys_not_read", error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> list[Any]:
        """The numbers of every shard. All who ask at the same time share one question to the shards."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self.router.everywhere("status"))
            # Asyncio would log the fault of a look for which nobody waits any more.
            self._look.add_done_callback(lambda look: look.cancelled() or look.exception())
        return await asyncio.shield(self._look)  # a client that hangs up must not end the look of the others

    async def change_catalog(self, change: Callable[[], Catalog]) -> tuple[Catalog, str]:
        """Switch the engine to another catalog. Returns it, and the version of the one before, once every shard uses
        it. Several switches at once happen one after the other.

        Raises NotReady where a shard does not follow in time (it will later, or at its next start), or where the
        configuration directory has changed meanwhile: then what it holds is active.
        """
        active_catalog = self.config.active_catalog
        async with active_catalog.turn():
            before = str((await self.router.everywhere("status"))[0]["catalogVersion"])
            made = await asyncio.get_running_loop().run_in_executor(None, change)  # it compiles, and waits for the disk
            mark = active_catalog.mark()
            for _ in range(int(_ADOPT_S / _LOOK_S)):
                told = await self.router.everywhere("status")
                if {shard["catalogVersion"] for shard in told} == {made.version} == {self.catalog.version}:
                    return made, before
                if active_catalog.mark() != mark:
                    raise NotReady("the configuration directory has changed meanwhile, and is what stands")
                await asyncio.sleep(_LOOK_S)
        raise NotReady("the catalog is written, and not every shard has taken it yet")

    def principal(self, headers: Headers, body: bytes | None = None) -> Principal:
        """The caller; Unauthorised without a known key. `body` is looked into where no header carries a key, as from a
        browser."""
        principal = self.caller(headers, body)
        self._rates.take(principal)
        return principal

    def caller(self, headers: Headers, body: bytes | None = None) -> Principal:
        """The same without counting it as a request of that key."""
        in_body = write_key_of(body) if body is not None and not shows_key(headers) else None
        return self.keys.identify(headers, in_body)

    def server(self, headers: Headers) -> Principal:
        """The caller, who must hold a server key; Forbidden else."""
        principal = self.principal(headers)
        require_server(principal)
        return principal

    def proof(self, principal: Principal) -> Proof:
        """The proof that a caller must give for a user id that it names. A server key needs none."""
        if principal.kind == "server":
            return Proof()
        return Proof(principal.user_secret, authority.source(self.catalog, principal.source).user_hash)

    def prove(self, principal: Principal, user_id: object, told: object, field: str = "userId") -> None:
        """Unauthorised where the hash of a user id is needed and is not there, or is wrong; InvalidInput names `field`
        where it is none."""
        if user := self._canonical("user_id", user_id, field):
            self.proof(principal).check(user, told)

    @asynccontextmanager
    async def parsing(self) -> AsyncIterator[None]:
        """Held while a batch is parsed, which takes milliseconds. Batches that come together are parsed one after the
        other, so that a decision which comes in between waits for one of them and not for all."""
        async with self._parsing:
            await asyncio.sleep(0)  # requests that came while the last batch was parsed go first
            yield

    async def now_ms(self) -> int:
        """Now by the engine's clock. On a replay clock only the shards know it."""
        if not self.config.is_replay:
            return self._wall.now_ms()
        return max(int(status["now"]) for status in await self.router.everywhere("status"))

    async def past_ms(self, at: object, field: str) -> int:
        """A time that a client gave, never later than now; now where it gave none."""
        now_ms = await self.now_ms()
        given = read_ms(at, field)
        return now_ms if given is None else min(given, now_ms)

    async def advance(self, watermark_ms: int, drain: bool) -> dict[str, int]:
        """Move the replay clock."""
        if not self.config.is_replay:
            raise Forbidden("this engine runs on the wall clock", "watermark")
        reached = await self._dispatcher.call(Advance(watermark_ms, drain))
        return {"now": reached.now_ms, "pendingTimers": reached.pending_timers}

    async def back_up(self, directory: str, keys: str | None) -> dict[str, Any]:
        """Copy the whole engine into a directory of its machine, and its keys into another."""
        return (await self._dispatcher.call(BackUp(directory, keys))).made

    async def note(self, event: str, level: str = "info", **facts: Any) -> None:
        """Write an event into the engine's own log. `facts` never hold a key, nor anything about a customer."""
        await asyncio.to_thread(diary.write, Path(self.config.keys).parent, event, level, **facts)

    async def metrics(self) -> str:
        """The metrics of all parts of the engine, as Prometheus reads them; NotReady where Ray does not answer."""
        async with httpx.AsyncClient(trust_env=False, timeout=_METRICS_S) as client:
            try:
                told = await asyncio.gather(*(client.get(url) for url in self.config.metrics))
            except httpx.HTTPError:
                raise NotReady("Ray's metrics cannot be read") from None
        lines = (line for answer in told for line in answer.text.splitlines(keepends=True))
        return "".join(line for line in lines if _OURS.match(line))

    def identifiers(
        self, named: Mapping[str, object], fields: Mapping[str, str] = _NO_NAMES
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The profile that is named by its own id (empty where none is), and the canonical (namespace, value) pairs
        less what is absent; InvalidInput names the one that cannot be used, as `fields` calls its namespace."""
        pairs = [
            (namespace, self._canonical(namespace, value, fields.get(namespace, "")))
            for namespace, value in named.items()
        ]
        profile = dict(pairs).get(PROFILE_ID, "")
        usable = tuple(
            (namespace, value)
            for namespace, value in pairs
            if value and namespace != PROFILE_ID and not self.catalog.identity.is_blocked(namespace, value)
        )
        if not usable and not profile:
            at_fault = next((fields[namespace] for namespace, value in pairs if value and namespace in fields), "")
            raise InvalidInput("names nobody that can be known", at_fault or "identifiers")
        return profile, usable

    def named(self, reference: str) -> str:
        """The id of the profile that `namespace:value` names first; InvalidInput where it names nobody."""
        return self.home(*parse_reference(reference, self.catalog.country, self.catalog.identity.forms))

    def _canonical(self, namespace: str, value: object, field: str) -> str:
        return canonical_if_any(namespace, value, self.catalog.country, field, self.catalog.identity.forms)

    def home(self, namespace: str, value: str) -> str:
        """The id of the profile that an identifier names first."""
        if namespace == PROFILE_ID:
            return value
        return profile_id(self.catalog.id_key, namespace, value)


def _any_gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _server_principal(request: Request) -> Principal:
    return _any_gateway(request).server(headers_of(request.scope))


def _fact_teller(request: Request) -> Principal:
    gateway = _any_gateway(request)
    principal = gateway.principal(headers_of(request.scope))
    if principal.kind != "server" and not authority.source(gateway.catalog, principal.source).things:
        raise Forbidden("this needs a server key, or things: true for the source of this key")
    return principal


def needs_server_key(dependency: object) -> bool:
    """Whether a route that depends on this is for server keys, and at most for the write keys of some sources."""
    return dependency in (_server_principal, _fact_teller)


ServerPrincipal = Annotated[Principal, Depends(_server_principal)]
FactTeller = Annotated[Principal, Depends(_fact_teller)]


def _server_gateway(request: Request, _: ServerPrincipal) -> Gateway:
    return _any_gateway(request)


AnyGateway = Annotated[Gateway, Depends(_any_gateway)]
ServerGateway = Annotated[Gateway, Depends(_server_gateway)]
