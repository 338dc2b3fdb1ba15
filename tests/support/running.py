"""The running engine from outside: `segue up`, a mail server that keeps its mail, and ways to wait.

Nothing here knows how Segue works inside. Every wait has a deadline, every process that was started is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import psutil
from aiosmtpd.controller import Controller

from actors.platform.ports import free_port
from engine.vocabulary import ARRIVED

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SEGUE = Path(sys.executable).with_name("segue")
WRITE_KEY, SERVER_KEY = "wk-of-these-tests", "sk-of-these-tests"
READY_S = 90.0
STOP_S = 30.0
LINGER_S = 5.0  # for processes of a tree whose front process has ended
COMMAND_S = 60.0
_POLL_S = 0.05


def eventually(check: Callable[[], T], deadline_s: float = 15.0) -> T:
    """The first truthy answer of `check`, which is called again and again. Its last answer is in the error."""
    end_s = time.monotonic() + deadline_s
    while True:
        fault: BaseException | None = None
        try:
            answer = check()
            if answer:
                return answer
        except (AssertionError, httpx.TransportError) as error:
            fault = error
        if time.monotonic() > end_s:
            said = fault if fault is not None else f"the last answer was {answer!r}"
            raise AssertionError(f"not within {deadline_s:g} s: {said}")
        time.sleep(_POLL_S)


def eventually_equal(read: Callable[[], T], wanted: T, deadline_s: float = 15.0) -> None:
    """Wait until `read` returns the wanted value. Its last value is in the error."""

    def check() -> bool:
        answer = read()
        assert answer == wanted, f"it is {answer!r} and not {wanted!r}"
        return True

    eventually(check, deadline_s)


def write_catalog(directory: Path, files: Mapping[str, str]) -> Path:
    """A directory for `--config` with these YAML files and templates."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return directory


def run_segue(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    segue: Path = SEGUE,
    cwd: Path = ROOT,
    deadline_s: float = COMMAND_S,
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself; one that does not is ended with all processes that it started."""
    command = [str(segue), *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=_environment(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            _end(_family(process))
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SEGUE_", "RAY_"))}
    keys = {"SEGUE_WRITE_KEY": WRITE_KEY, "SEGUE_SERVER_KEY": SERVER_KEY}
    patient = {"SEGUE_DECIDE_DEADLINE_MS": "0"}  # no test may depend on how fast this machine is
    return plain | keys | patient | dict(more)


class Engine:
    """`segue up` on a folder of its own; `start` again after `stop` or `kill` goes on with the same data."""

    def __init__(
        self,
        folder: Path,
        *,
        config: Path = ROOT / "configs",
        shards: int = 2,
        clock: str = "wall",
        smtp_port: int | None = None,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        address: str = "",
        segue: Path = SEGUE,
    ) -> None:
        self.folder, self.config, self.shards, self.clock = folder, config, shards, clock
        self.data, self.log = folder / "data", folder / "engine.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._smtp_port, self._cwd, self._environment = smtp_port, cwd, dict(environment or {})
        self._address = address  # of a Ray cluster to join; empty: the engine starts its own
        self._segue = segue
        self._process: subprocess.Popen[bytes] | None = None
        self.family: list[psutil.Process] = []
        folder.mkdir(parents=True, exist_ok=True)
        headers = {"x-api-key": SERVER_KEY}
        self.server = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)
        self.web = httpx.Client(base_url=self.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=60)

    # -- its life

    def start(self) -> Engine:
        """Returns when the engine says that it is ready."""
        command = [self._segue, "up", "--config", self.config, "--data", self.data, "--port", self.port]
        command += ["--shards", self.shards, "--clock", self.clock]
        command += ["--address", self._address] if self._address else []
        # Without a mail server of the test's own, mail meets a closed door: never anybody's real one.
        smtp = {"SEGUE_SMTP_HOST": "127.0.0.1", "SEGUE_SMTP_PORT": str(self._smtp_port or free_port())}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                list(map(str, command)),
                cwd=self._cwd,
                env=_environment(smtp | self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually(self._is_ready, READY_S)
        except BaseException:
            self.kill()
            raise
        self.family = _family(self._process)
        return self

    def stop(self) -> tuple[int, float, list[str]]:
        """Stop it as Ctrl-C does. Returns the exit code, the seconds until all processes had ended, and the processes
        that stayed (and are ended here)."""
        assert self._process is not None
        self.family = _family(self._process) or self.family
        began_s = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        _, staying = psutil.wait_procs(self.family, timeout=LINGER_S)
        took_s = time.monotonic() - began_s
        left = [_name(process) for process in staying]
        _end(staying)
        return self._process.wait(), took_s, left

    def ended(self, deadline_s: float) -> int:
        """The exit code of a front process that ends by itself."""
        assert self._process is not None
        return self._process.wait(deadline_s)

    def hang_up(self) -> None:
        """SIGHUP for the front process: new replicas of the ingress."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def processes(self) -> list[psutil.Process]:
        """All its processes now."""
        assert self._process is not None
        return _family(self._process)

    def kill(self) -> None:
        """SIGKILL for the front process and all that descends from it, parents first."""
        if self._process is None or self._process.poll() is not None:
            return
        self.family = _family(self._process) or self.family
        _end(self.family)
        self._process.wait()

    def close(self) -> None:
        """End all processes of this engine at the end of a test, whatever happened in it. It kills, because that is
        quick."""
        self.server.close()
        self.web.close()
        self.kill()
        _end(process for process in self.family if process.is_running())

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise SystemExit(f"the engine ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    # -- what one says to it

    def track(self, event: str, properties: Mapping[str, Any] | None = None, **who: str) -> None:
        """One event of a user or a visitor, from a web page."""
        self.call("track", event=event, properties=dict(properties or {}), **who)

    def identify(self, user: str, **traits: Any) -> None:
        """A user with traits."""
        self.call("identify", userId=user, traits=traits)

    def register(self, user: str, **traits: Any) -> None:
        """The same, told by the shop's own server: its word gives an address to a user."""
        answer = self.server.post("/v1/identify", json={"userId": user, "traits": traits})
        assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text

    def call(self, kind: str, **body: Any) -> None:
        """A call of Segment's tracking API that must succeed."""
        answer = self.web.post(f"/v1/{kind}", json=body)
        assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text

    def batch(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Many events at once."""
        self.call("batch", batch=list(events))

    def bring(self, events: Iterable[Mapping[str, Any]]) -> None:
        """History, through the import."""
        answer = self.server.post("/v1/import", json={"batch": list(events)})
        assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text

    def move_clock(self, watermark: str | int, *, drain: bool = False) -> dict[str, Any]:
        """Move the replay clock."""
        answer = self.server.post("/v1/clock", json={"watermark": watermark, "drain": drain})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    # -- what one reads from it

    def read(self, path: str) -> dict[str, Any]:
        """A page that must be there."""
        answer = self.server.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def profile(self, namespace: str, value: str) -> dict[str, Any]:
        """One customer."""
        return self.read(profile_path(namespace, value))

    def timeline(self, namespace: str, value: str) -> list[dict[str, Any]]:
        """All that happened to one customer, oldest first."""
        entries: list[dict[str, Any]] = self.read(profile_path(namespace, value) + "/timeline?limit=10000")["entries"]
        return entries

    def dead_letters(self) -> list[dict[str, Any]]:
        """What was set aside, the newest first."""
        letters: list[dict[str, Any]] = self.read("/v1/dead-letters?limit=1000")["deadLetters"]
        return letters

    def sends(self, user: str) -> list[tuple[str, str]]:
        """(outcome, reason) of all sends to a user. Open ones are `decided`; sent ones have no reason."""
        last = {
            entry["detail"]["send"]: (entry["outcome"], "" if entry["outcome"] in ARRIVED else entry.get("reason", ""))
            for entry in self.timeline("user_id", user)
            if entry["kind"] == "send" and "send" in entry.get("detail", {})
        }
        return list(last.values())

    def status(self) -> dict[str, Any]:
        """The engine's numbers."""
        return self.read("/v1/status")

    def is_quiet(self) -> bool:
        """Whether no send waits to leave, and no profile waits for another."""
        status = self.status()
        return status["sends"]["waiting"] == 0 and status["messages"]["pending"] == 0


def profile_path(namespace: str, value: str) -> str:
    """The path at which a customer is read; the value may hold any character."""
    return f"/v1/profiles/{namespace}:{quote(value, safe='')}"


def _family(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """A process and all that descends from it now, parents first; empty where it is gone."""
    try:
        front = psutil.Process(process.pid)
        return [front, *front.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.NoSuchProcess:
        return f"{process.pid}, gone by now"


def _end(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL. psutil compares start times, so a process number that is used anew is safe."""
    listed = list(processes)
    for process in listed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    with contextlib.suppress(FileNotFoundError):  # psutil does not expect that one ends while it begins to wait
        psutil.wait_procs(listed, timeout=10)


class MailServer:
    """A real SMTP server on a free port; all mail that it was given, in order of arrival.

    Mail to an address in `stalling` is kept like the rest, but its sender does not hear so for as long as it is there.
    Each mail takes `takes_s`.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.stalling: set[str] = set()
        self.stalled: list[EmailMessage] = []
        self.takes_s = 0.0
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        await asyncio.sleep(self.takes_s)
        self.mails.append(mail)
        if self.stalling.intersection(envelope.rcpt_tos):
            self.stalled.append(mail)
            while self.stalling.intersection(envelope.rcpt_tos):
                await asyncio.sleep(_POLL_S)
        return "250 kept"

    def to(self, address: str) -> list[EmailMessage]:
        """The mail to one address."""
        return [mail for mail in self.mails if mail["To"] == address]

    def send_ids(self) -> list[str]:
        """The sends that the mail belongs to."""
        return [mail["Message-ID"].removeprefix("<").partition("@")[0] for mail in self.mails]

    @contextlib.contextmanager
    def open(self) -> Iterator[MailServer]:
        """Listen for as long as the body runs."""
        self._controller.start()
        try:
            yield self
        finally:
            self._controller.stop()
