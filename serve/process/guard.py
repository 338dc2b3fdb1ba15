"""Notices that an engine cannot go on. Then its front process ends, and its supervisor starts another one.

Ray starts parts of an engine again that die, and Segue starts those that Ray does not. A part that stays away for
`STUCK_S` is made anew through Ray, which may believe that it is well. A part that neither can start, or that stays away
for `AWAY_S`, is a reason to stop. Time during which a file system is full does not count: it would be full for a new
engine too.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from actors.cluster.watchdog import Watchdog
from actors.platform import logs
from actors.platform.clock import stopwatch
from serve.http import direct_socket
from serve.process.ray_runtime.parts import RayParts
from serve.process.ray_runtime.surroundings import no_room

AWAY_S = 45.0  # both limits: decision record 0021
STUCK_S = 20.0
_LOOK_S = 0.5
_PATIENCE_S = 2.0
_PASSED_S_MAX = 5.0  # this process itself may have stood still: that says nothing about the others
_INGRESS = "the HTTP door"

log = logging.getLogger(__name__)


class Guard:
    """Looks twice a second, in a thread of its own, until it has found a reason (`give_up` is told it) or is ended."""

    def __init__(
        self,
        parts: RayParts,
        folders: Sequence[Path],
        give_up: Callable[[str], None],
        tell: Callable[[str], None],
        remake: Callable[[str], None],
    ) -> None:
        """`remake` is told the name of a shard, or of the dispatcher, and may take its time."""
        self._parts, self._folders, self._give_up, self._tell = parts, folders, give_up, tell
        self._remake = remake
        self._away_s: dict[str, float] = {}
        self._watchdog: Watchdog | None = None
        self._url, self._sockets = "", Path()
        self._looks: Sequence[Callable[[], object]] = ()
        self._over = threading.Event()
        self._complaint = ""

    def begin(self) -> None:
        """Look after Ray from now on."""
        threading.Thread(target=self._run, name="guard", daemon=True).start()

    def also(self, watchdog: Watchdog, url: str, sockets: Path, looks: Sequence[Callable[[], object]] = ()) -> None:
        """Everything has started: from now on look after shards, dispatcher and HTTP as well. The direct sockets of the
        replicas are in `sockets`. `looks` are called each time."""
        self._watchdog, self._url, self._sockets, self._looks = watchdog, url, sockets, looks

    def end(self) -> None:
        """Look no more."""
        self._over.set()

    def reason(self, passed_s: float) -> str:
        """Why the engine cannot go on, `passed_s` after the last look; empty where it can."""
        if lost := self._parts.lost():
            return lost
        absent = self._watchdog.absent() if self._watchdog is not None else set()
        if self._url and not _is_open(self._url, self._sockets):
            absent = absent | {_INGRESS}
        complaint = no_room(*self._folders) if absent else ""
        if complaint and complaint != self._complaint:
            self._tell(f"{', '.join(sorted(absent))}: away, and {complaint}")
        self._complaint = complaint
        counted_s = 0.0 if complaint else passed_s
        before_s, self._away_s = self._away_s, {name: self._away_s.get(name, 0.0) + counted_s for name in absent}
        for name, away_s in self._away_s.items():
            # Once, when it crosses the limit. In a thread, because a call to Ray may wait without a bound.
            if before_s.get(name, 0.0) <= STUCK_S < away_s and name != _INGRESS:
                threading.Thread(target=self._remake, args=(name,), name="remaking", daemon=True).start()
        away = [name for name, away_s in self._away_s.items() if away_s > AWAY_S]
        return f"{min(away)} has been away for {AWAY_S:g} s, and does not come back" if away else ""

    def _run(self) -> None:
        looked_s = stopwatch()
        while not self._over.wait(_LOOK_S):
            now_s, reason = stopwatch(), ""
            try:
                self._parts.revive()
                for look in self._looks:
                    look()
                reason = self.reason(min(now_s - looked_s, _PASSED_S_MAX))
            except Exception as error:  # the outermost loop of this shell: the next look may see more
                logs.fault(log, "guard_failed", error)
            looked_s = now_s
            if reason and not self._over.is_set():
                self._give_up(reason)
                return


def _is_open(url: str, sockets: Path) -> bool:
    """Whether HTTP is answered there. An ingress that is slow, or that refuses because it has too much to do, counts as
    there. An HAProxy without any replica behind it does not."""
    place = urlsplit(url)
    asking = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_PATIENCE_S)
    try:
        asking.request("GET", "/healthz", headers={"connection": "close"})
        return asking.getresponse().status != 503 or any(map(_listens, sockets.glob(direct_socket.socket_name("*"))))
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException):
        return True
    finally:
        asking.close()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_PATIENCE_S)
        try:
            asking.connect(str(path))
        except TimeoutError:  # its backlog is full: it is there, and busy
            return True
        except OSError:
            return False
        return True
