"""A price drops, and very many customers are interested: how long it takes to tell all of them, what decisions take
meanwhile, and whether a shard that is killed in the middle loses or repeats anybody.

The engine is a whole one, on this machine. Decisions come at a steady pace, before the price drops and while everybody
is told.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import psutil

from loadtest.bench import over_http
from loadtest.bench.figure import Figure
from loadtest.bench.figures import Report, disk
from loadtest.bench.over_http import Load, Wrk
from loadtest.processes.engine import EngineError, family_of
from loadtest.processes.running import Running, kind_of, running
from loadtest.world import bench_catalog

COUNT: Final = 100_000
_LOT: Final = 500
_CLIENTS: Final = 4
_CONNECTIONS, _PACE_MS, _ROUND_S = 10, 50, 5  # 200 decisions a second
_WAIT_S: Final = 600.0
_LOOK_S: Final = 0.2
_ASKED: Final = 200  # customers who are asked what became of them
_THING: Final = "sku-everybody"
_JOURNEY: Final[dict[str, Any]] = {
    "id": "price_drop",
    "tier": "promotional",
    "trigger": {
        "thing": {
            "kind": "product",
            "event": "Price Dropped",
            "interested": {"event": "Product Viewed", "within": "30d"},
        }
    },
    "re_entry": {"after": "0d", "concurrent": 10},
    "steps": [{"wait": {"for": "1d"}}, {"exit": {"reason": "done"}}],
}


def report(say: Callable[[str], None], *, count: int = COUNT) -> Report:
    """The figures. EngineError where anybody was told twice, or not at all."""
    if not Wrk.is_there():
        return Report((), (over_http.WRK_MISSING,))
    keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
    with tempfile.TemporaryDirectory(prefix="segue-bench-", dir=disk()) as name:
        folder = Path(name)
        config = bench_catalog.write(folder / "configs")
        (config / "journeys").mkdir(exist_ok=True)
        (config / "journeys" / "price_drop.yaml").write_text(json.dumps(_JOURNEY))
        arguments = ["up", "--config", str(config), "--data", str(folder / "data"), "--port", "{port}"]
        with running(arguments, folder, keys, module="serve") as engine:
            say(f"{count:,} customers look at one product")
            crowd = _Crowd(engine, keys["SEGUE_SERVER_KEY"], count)
            crowd.look(folder)
            wrk = Wrk(engine.url, keys, folder)
            wrk.decide(_CONNECTIONS, 1)
            alone = wrk.decide(_CONNECTIONS, _ROUND_S, pace_ms=_PACE_MS)
            say("its price drops")
            seconds, beside = _told_beside(crowd, wrk)
            say("it drops once more, and a shard is killed in the middle")
            crash_s = _told_through_a_crash(crowd)
            crowd.check(2)
    return Report(tuple(figures(count, seconds, alone, beside, crash_s)))


def figures(count: int, seconds: float, alone: Load, beside: Load, crash_s: float) -> Iterator[Figure]:
    """How fast all were told, and what decisions took meanwhile, beside what they took before."""
    name = f"price drop, {count:,} interested"
    yield Figure(f"{name}: told once each", count / seconds, "customers/s", "", 0.0)
    yield Figure(f"{name}: 200 decisions/s meanwhile, p50", beside.p50_ms, "ms", "before", alone.p50_ms)
    yield Figure(f"{name}: 200 decisions/s meanwhile, p99", beside.p99_ms, "ms", "before", alone.p99_ms)
    yield Figure(f"{name}: answered with the default", beside.degraded, "", "all", beside.requests)
    yield Figure(f"{name}: a shard killed in the middle, nobody lost or repeated", crash_s, "s", "no kill", seconds)


def _told_beside(crowd: _Crowd, wrk: Wrk) -> tuple[float, Load]:
    """How long it took until all were told, and what decisions took meanwhile."""
    loads: list[Load] = []
    with ThreadPoolExecutor(1) as threads:
        telling = threads.submit(crowd.tell, "first")
        while not telling.done() or not loads:
            loads.append(wrk.decide(_CONNECTIONS, _ROUND_S, pace_ms=_PACE_MS))
        return telling.result(), over_http.mean(loads)


def _told_through_a_crash(crowd: _Crowd) -> float:
    return crowd.tell("second", at_half=lambda: kill_a_shard(crowd.engine.pid))


def kill_a_shard(pid: int) -> None:
    """Kill one shard of the engine with this front process, as a fault would; EngineError where there is none."""
    for process in family_of(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if kind_of(process.name(), process.cmdline()) == "shards":
                process.kill()
                return
    raise EngineError("no shard was found to be killed")


@dataclass
class _Crowd:
    """Customers who have looked at one product."""

    engine: Running
    server_key: str
    count: int

    def look(self, folder: Path) -> None:
        """Each of them looks at it."""
        users = [f"crowd-{number}" for number in range(self.count)]
        with ThreadPoolExecutor(_CLIENTS) as threads:
            list(threads.map(self._import, (users[start : start + _LOT] for start in range(0, len(users), _LOT))))
        (folder / "users").write_text("\n".join(users[:10_000]) + "\n", "utf-8")
        (folder / "placements").write_text("\n".join(bench_catalog.PLACEMENTS) + "\n", "utf-8")

    def tell(self, message_id: str, at_half: Callable[[], None] | None = None) -> float:
        """The price drops; returns after how many seconds all were told. `at_half` is called on the way."""
        fact = {"kind": "product", "id": _THING, "event": "Price Dropped", "messageId": message_id}
        self._ask("POST", "/v1/things", fact | {"properties": {"percent": 15}})
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < _WAIT_S:
            row = self._newest()
            if row is not None and at_half is not None and row["told"] > self.count // 3:
                at_half()
                at_half = None
            if row is not None and not row["waits"]:
                if row["told"] != self.count or at_half is not None:
                    raise EngineError(f"{row['told']:,} of {self.count:,} were told, and it came to an end too soon")
                return passed_s
            time.sleep(_LOOK_S)
        raise EngineError(f"not all were told within {_WAIT_S:g} s")

    def check(self, times: int) -> None:
        """EngineError unless each of some customers entered the journey so many times."""
        drawn = Random("bench/fan-out").sample(range(self.count), min(_ASKED, self.count))
        for number in drawn:
            profile = self._ask("GET", f"/v1/profiles/user_id:crowd-{number}", None)
            runs = [run for run in profile["journeys"] if run["journey"] == _JOURNEY["id"]]
            if len(runs) != times:
                raise EngineError(f"crowd-{number} was told {len(runs)} times of {times} facts")

    def _newest(self) -> Mapping[str, Any] | None:
        try:
            rows: list[dict[str, Any]] = self._ask("GET", "/v1/things?limit=1", None)["things"]
        except EngineError:  # a shard is being started again
            return None
        return rows[0] if rows else None

    def _import(self, users: list[str]) -> None:
        batch = [
            {
                "type": "track",
                "event": "Product Viewed",
                "userId": user,
                "messageId": f"v-{user}",
                "properties": {"product_id": _THING},
            }
            for user in users
        ]
        for pause_s in itertools.chain(itertools.repeat(0.5, 60), [None]):
            try:
                self._ask("POST", "/v1/import", {"batch": batch})
                return
            except EngineError:
                if pause_s is None:
                    raise
                time.sleep(pause_s)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.server_key}"}
        try:
            answer = httpx.request(
                method, self.engine.url + path, json=body, headers=headers, trust_env=False, timeout=30
            )
        except httpx.TransportError as error:
            raise EngineError(f"{path}: {error}") from None
        if answer.status_code != 200 or (body is not None and b'"rejected":[' in answer.content):
            raise EngineError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
        return answer.json()
