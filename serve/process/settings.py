"""The settings of the process, read once from flags and `SEGUE_*` and checked at once. No other module reads them from
the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from actors.platform import listening
from engine.errors import UsageError
from serve.process import which_catalog

ClockKind = Literal["wall", "replay"]

DATA = Path("segue-data")
RUNTIME = Path("/tmp")  # short, because the path of a Unix socket is (`serve/process/ray_runtime/surroundings.py`)
LOOPBACK = listening.LOOPBACK
SHARDS_MAX = 256
DEADLINE_MS = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """One engine on one data directory."""

    config: Path
    data: Path
    port: int
    shards: int
    clock: ClockKind
    address: str  # of a Ray cluster to join; empty starts one
    host: str  # where HTTP listens: an address or a name
    public_url: str  # what links in messages begin with
    origins: tuple[str, ...]  # web pages that may call; `*` for all
    replicas: int  # of the ingress
    deadline_s: float  # of a decision on the wall clock; 0: none
    write_key: str | None
    server_key: str | None
    id_key: str | None
    engine_key: str | None
    runtime: Path = RUNTIME  # sockets, and what Ray keeps while it runs
    ray_host: str = LOOPBACK  # where Ray's own ports listen
    addresses: tuple[str, ...] = (LOOPBACK,)  # those of `host`

    @property
    def url(self) -> str:
        """Where this engine answers clients on this machine."""
        return f"http://{listening.near(self.host)}:{self.port}"


def read(
    *,
    config: Path | None = None,
    data: Path | None = None,
    port: int = 8000,
    shards: int | None = None,
    address: str = "",
    clock: str = "wall",
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from flags and the environment; UsageError names the flag or the variable at fault."""
    if not 1 <= port <= 65_535:
        raise UsageError("must be from 1 to 65535", "--port")
    if clock not in ("wall", "replay"):
        raise UsageError("is either wall or replay", "--clock")
    shards = max(2, os.cpu_count() or 2) if shards is None else shards
    if not 1 <= shards <= SHARDS_MAX:
        raise UsageError(f"must be from 1 to {SHARDS_MAX}", "--shards")
    host = environment.get(listening.VARIABLE, LOOPBACK)
    return Settings(
        config=which_catalog.which(config),
        data=(data or DATA).resolve(),
        port=port,
        shards=shards,
        clock="wall" if clock == "wall" else "replay",
        address=address,
        host=host,
        public_url=environment.get("SEGUE_PUBLIC_URL", f"http://{listening.near(host)}:{port}").rstrip("/"),
        origins=tuple(environment.get("SEGUE_ORIGINS", "*").split(",")),
        replicas=_number(environment, "SEGUE_INGRESS_REPLICAS", 1, range(1, 65)),
        deadline_s=_number(environment, "SEGUE_DECIDE_DEADLINE_MS", DEADLINE_MS, range(60_001)) / 1000,
        write_key=environment.get("SEGUE_WRITE_KEY"),
        server_key=environment.get("SEGUE_SERVER_KEY"),
        id_key=environment.get("SEGUE_ID_KEY"),
        engine_key=environment.get("SEGUE_ENGINE_KEY"),
        runtime=Path(environment.get("SEGUE_RUNTIME_DIR", RUNTIME)).absolute(),
        ray_host=_address(environment, "SEGUE_RAY_HOST"),
        addresses=listening.addresses(host),
    )


def _number(environment: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    given = environment.get(name, str(default))
    if not (given.isascii() and given.isdigit() and int(given) in allowed):
        raise UsageError(f"must be a whole number from {allowed[0]} to {allowed[-1]}", name)
    return int(given)


def _address(environment: Mapping[str, str], name: str) -> str:
    given = environment.get(name, LOOPBACK)
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        raise UsageError("must be an IP address of this machine", name) from None
