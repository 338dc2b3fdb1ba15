"""Frames over a real Unix socket, on both event loops."""

import asyncio
import inspect
import pickle
import struct
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvloop

from actors.transport.coalescing import CoalescingTransport
from actors.transport.frame_client import FrameClient
from actors.transport.frame_server import FrameServer
from actors.transport.messages.base import Answer, Request
from actors.transport.wire import FRAME_BYTES_MAX, HELLO, PAYLOAD_BYTES_MAX, VERSION
from engine.errors import BY_CODE, CatalogError, InvalidInput, NotReady, Overloaded, SegueError, TooLarge, UsageError


class Said(Answer):
    what: bytes


class Echo(Request[Said]):
    """Answered at once, with itself."""

    what: bytes


class Hold(Request[Said]):
    """Answered when the story says so."""

    what: bytes


class Bug(Request[Said]):
    """What the handler cannot do."""


class Stranger(Request[Said]):
    """What the server does not take."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda story: runner.run(asyncio.wait_for(story, 10))


class Shard:
    """A handler that answers `echo` at once and holds everything else until the story says so."""

    def __init__(self):
        self.held = []
        self._arrived = asyncio.Event()

    def __call__(self, request, reply):
        if isinstance(request, Echo):
            reply.send(Said(request.what))
        elif isinstance(request, Bug):
            raise ZeroDivisionError("the secret of ada@example.com")
        else:
            self.held.append((request.what, reply))
            self._arrived.set()

    async def holds(self, count):
        while len(self.held) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.held


@asynccontextmanager
async def listening(path, **limits):
    shard = Shard()
    server, client = FrameServer(path, shard, (Echo, Hold, Bug), **limits), FrameClient(path)
    await server.start()
    try:
        yield shard, server, client
    finally:
        client.close()
        await server.close()


def test_answers_may_come_later_and_in_another_order(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            calls = [asyncio.create_task(client.call(Hold(b"%d" % n))) for n in range(100)]
            for what, reply in reversed(await shard.holds(100)):
                reply.send(Said(b"answer " + what))
                reply.send(Said(b"a second answer counts for nothing"))
            assert await asyncio.gather(*calls) == [Said(b"answer %d" % n) for n in range(100)]
            assert (server.in_flight, server.bytes_in_flight) == (0, 0)

    run(story())


def each_error():
    """Every class that there is, empty, and with a value of its own for each parameter."""
    values = {
        "str": "some text",
        "int": 2500,
        "tuple[str, ...]": ("a.yaml:1: x: is missing", "b.yaml:2: y: is too much"),
    }
    for cls in dict.fromkeys((SegueError, *BY_CODE.values())):
        wanted = [str(each.annotation) for each in inspect.signature(cls).parameters.values()]
        yield cls()
        yield cls(*(values[name] for name in wanted))


def told(run, path, error):
    """What a caller gets for an error that the other end raises, and whether the connection goes on."""

    async def story():
        async with listening(path) as (shard, _, client):
            call, other = (asyncio.create_task(client.call(Hold(b""))) for _ in range(2))
            (await shard.holds(2))[0][1].fail(error)
            with pytest.raises(SegueError) as caught:
                await call
            shard.held[1][1].send(Said(b"still there"))
            assert await other == Said(b"still there")
            return caught.value

    return run(story())


@pytest.mark.parametrize("error", each_error(), ids=repr)
def test_every_error_there_is_arrives_as_it_was_raised(run, tmp_path, error):
    arrived = told(run, tmp_path / "s", error)
    assert (type(arrived), vars(arrived)) == (type(error), vars(error))
    assert vars(pickle.loads(pickle.dumps(arrived))) == vars(error)


class OfAShell(SegueError):
    """A class of which the other end knows nothing."""

    code = "of_a_shell"


class Awkward(Exception):
    """One that cannot even be told."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OfAShell("what", "where"), SegueError),
        (ZeroDivisionError("the secret of ada@example.com"), SegueError),
        (Awkward(), SegueError),
        (InvalidInput("half of a character: \ud83d", "a\ud800"), InvalidInput),
        (InvalidInput(object(), "x"), InvalidInput),
        (CatalogError(("x: \ud83d",)), CatalogError),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else "",
)
def test_an_error_that_no_frame_can_hold_costs_its_own_request_alone(run, tmp_path, error, kind):
    arrived = told(run, tmp_path / "s", error)
    assert type(arrived) is kind and "ada" not in str(arrived)


def test_a_bug_in_the_handler_fails_its_own_request_and_tells_nothing(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (_, server, client):
            bug, echo = await asyncio.gather(client.call(Bug()), client.call(Echo(b"x")), return_exceptions=True)
            assert isinstance(bug, SegueError) and "ada" not in str(bug) and echo == Said(b"x")
            assert server.in_flight == 0

    run(story())


@pytest.mark.parametrize("limits", [{"max_in_flight": 2}, {"max_bytes_in_flight": 30}])
def test_requests_beyond_the_bound_are_turned_away_until_there_is_room(run, tmp_path, limits):
    async def story():
        async with listening(tmp_path / "s", **limits) as (shard, _, client):
            calls = [asyncio.create_task(client.call(Hold(b"ten bytes."))) for _ in range(3)]
            with pytest.raises(Overloaded):
                await calls[2]
            for _, reply in shard.held:
                reply.send(Said(b"done"))
            assert await asyncio.gather(*calls[:2]) == [Said(b"done")] * 2
            large = b"a payload larger than all bounds"
            assert await client.call(Echo(large)) == Said(large)

    run(story())


def test_a_client_that_goes_away_does_not_harm_the_others(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            leaver = FrameClient(tmp_path / "s")
            gone = asyncio.create_task(leaver.call(Hold(b"gone")))
            await shard.holds(1)
            stays = asyncio.create_task(client.call(Hold(b"stays")))
            await shard.holds(2)
            leaver.close()
            with pytest.raises(NotReady):
                await gone
            for what, reply in shard.held:
                reply.send(Said(what))
            assert await stays == Said(b"stays")
            assert server.in_flight == 0

    run(story())


def test_a_cancelled_call_leaves_the_others_alone(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, _, client):
            calls = [asyncio.create_task(client.call(Hold(b"%d" % n))) for n in range(2)]
            await shard.holds(2)
            calls[0].cancel()
            for what, reply in shard.held:
                reply.send(Said(what))
            assert await calls[1] == Said(b"1")
            assert calls[0].cancelled()

    run(story())


def test_a_dropped_connection_fails_what_is_pending_and_the_next_server_is_found(run, tmp_path):
    async def story():
        path = tmp_path / "s"
        async with listening(path) as (shard, server, _):
            client = FrameClient(path)
            call = asyncio.create_task(client.call(Hold(b"")))
            await shard.holds(1)
            await server.close()
            with pytest.raises(NotReady):
                await call
            with pytest.raises(NotReady):
                await client.call(Echo(b"nobody is there"))
        async with listening(path):
            while True:
                try:
                    assert await client.call(Echo(b"back")) == Said(b"back")
                    break
                except NotReady:  # the pause before the next attempt is not over yet
                    await asyncio.sleep(0)
        client.close()

    run(story())


def test_while_nobody_answers_only_some_calls_dial(run, tmp_path, monkeypatch):
    async def story():
        loop, dials = asyncio.get_running_loop(), []
        client = FrameClient(tmp_path / "nobody")
        real = client._connect
        monkeypatch.setattr(client, "_connect", lambda: dials.append(loop.time()) or real())
        results = await asyncio.gather(*(client.call(Echo(b"")) for _ in range(50)), return_exceptions=True)
        assert {type(result) for result in results} == {NotReady} and len(dials) == 1
        with pytest.raises(NotReady, match="a moment ago"):
            await client.call(Echo(b""))
        assert len(dials) == 1

    run(story())


def test_large_payloads_arrive_whole_and_larger_ones_are_refused(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, _, client):
            large = bytes(range(256)) * (PAYLOAD_BYTES_MAX // 256 - 1)
            assert await client.call(Echo(large)) == Said(large)
            with pytest.raises(TooLarge):
                await client.call(Echo(bytes(PAYLOAD_BYTES_MAX + 1)))
            call = asyncio.create_task(client.call(Hold(b"")))
            (await shard.holds(1))[0][1].send(Said(bytes(PAYLOAD_BYTES_MAX + 1)))
            with pytest.raises(TooLarge):
                await call

    run(story())


def hello(version):
    """How an end of a version greets."""
    return struct.pack(">IB", 6, version) + b"segue"


def request(body=None, size=None):
    body = msgspec.msgpack.encode((1, "Echo", msgspec.msgpack.encode(Echo(b"x")))) if body is None else body
    return HELLO + struct.pack(">I", len(body) if size is None else size) + body


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (hello(9), f"version 9 of the protocol, this end version {VERSION}"),
        (struct.pack(">IB", 6, VERSION) + b"eugse", "no hello"),
        (b"GET / HTTP/1.1\r\n\r\n", "no hello"),
        (b"GET / H", "no hello"),
        (b"\0\0\0\6\x09sea", "no hello"),
        (request(size=FRAME_BYTES_MAX + 1), "at most"),
        (request(size=0), "at most"),
        (request(body=b"\xc1"), ""),
        (request(body=msgspec.msgpack.encode({"not": "a request"})), "array"),
    ],
)
def test_what_is_no_frame_ends_that_connection_only(run, tmp_path, caplog, sent, reason):
    async def story():
        async with listening(tmp_path / "s") as (_, _, client):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(sent)
            last_words = await reader.read()
            assert last_words[4] == VERSION == 5 and reason in last_words.decode(errors="replace")
            assert any(reason in record.reason for record in caplog.records)
            assert await client.call(Echo(b"still here")) == Said(b"still here")
            writer.close()

    run(story())


def test_a_request_in_single_bytes_is_understood(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            for byte in request():
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0)
            assert await reader.readexactly(len(HELLO)) == HELLO
            size = int.from_bytes(await reader.readexactly(4), "big")
            answer = await reader.readexactly(size)
            assert msgspec.msgpack.decode(answer) == [1, msgspec.msgpack.encode(Said(b"x")), None]
            writer.close()

    run(story())


@pytest.mark.parametrize(
    "greeting",
    [hello(VERSION + 1), struct.pack(">IB", 2, 1) + b"\x90"],
    ids=["a later one", "the first, without a hello"],
)
def test_a_server_of_another_version_is_refused_and_both_versions_are_named(run, tmp_path, greeting):
    async def answer(reader, writer):
        await reader.read(5)
        writer.write(greeting)
        writer.close()

    async def story():
        server = await asyncio.start_unix_server(answer, tmp_path / "s")
        client = FrameClient(tmp_path / "s")
        with pytest.raises(NotReady, match=rf"version {greeting[4]} of the protocol, this end version {VERSION}"):
            await client.call(Echo(b"x"))
        client.close()
        server.close()

    run(story())


def test_a_client_of_another_version_is_refused_and_told_the_servers(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, _, _):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(hello(VERSION + 1) + request()[len(HELLO) :])
            told = await reader.read()
            assert told.startswith(HELLO), "by which it knows our version"
            assert (
                f"the other end speaks version {VERSION + 1} of the protocol, this end version {VERSION}".encode()
                in told
            )
            assert shard.held == []
            writer.close()

    run(story())


def test_why_a_server_hangs_up_is_told_to_all_who_wait(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            call = asyncio.create_task(client.call(Hold(b"")))
            await shard.holds(1)
            (connection,) = server.connections
            connection.broken("a frame of 0 bytes")
            with pytest.raises(NotReady, match="the connection was refused: a frame of 0 bytes"):
                await call

    run(story())


def test_a_request_that_is_not_known_or_cannot_be_read_fails_alone(run, tmp_path, caplog):
    async def story():
        async with listening(tmp_path / "s") as (_, _, client):
            with pytest.raises(SegueError, match="type Stranger is not taken here"):
                await client.call(Stranger())
            with pytest.raises(SegueError, match="type Echo cannot be read: Expected `bytes`, got `str`"):
                await client.call(Echo("no bytes but a text"))
            assert await client.call(Echo(b"still here")) == Said(b"still here")
        assert not caplog.records, "it is no fault of the server"

    run(story())


def test_a_long_name_of_a_request_is_cut_in_the_answer(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(request(body=msgspec.msgpack.encode((1, "x" * 100_000, b""))))
            await reader.readexactly(len(HELLO))
            assert int.from_bytes(await reader.readexactly(4), "big") < 500
            writer.close()

    run(story())


def test_an_answer_that_cannot_be_read_is_an_error_of_ours(run, tmp_path):
    async def answer(reader, writer):
        await reader.readexactly(len(HELLO) + 5)  # the request too
        body = msgspec.msgpack.encode((1, msgspec.msgpack.encode(["no bytes but a text"]), None))
        writer.write(HELLO + len(body).to_bytes(4, "big") + body)

    async def story():
        server = await asyncio.start_unix_server(answer, tmp_path / "s")
        client = FrameClient(tmp_path / "s")
        with pytest.raises(SegueError, match=r"to Echo cannot be read: .* may have been handled"):
            await client.call(Echo(b"x"))
        client.close()
        server.close()

    run(story())


def test_one_loop_iteration_is_one_write(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            calls = [asyncio.create_task(client.call(Hold(b""))) for _ in range(10)]
            await shard.holds(10)
            (connection,) = server.connections
            writes, real = [], connection.transport

            class Spy:
                write = staticmethod(lambda data: writes.append(data) or real.write(data))
                close = staticmethod(real.close)
                is_closing = staticmethod(real.is_closing)

            connection.transport = CoalescingTransport(Spy)
            for _, reply in shard.held:
                reply.send(Said(b"x"))
            await asyncio.gather(*calls)
            assert len(writes) == 1

    run(story())


def test_who_does_not_read_answers_is_not_read_either(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, slow):
            await slow.call(Echo(b""))
            (connection,) = server.connections
            connection.pause_writing()  # as the transport does when too much is unread
            call = asyncio.create_task(slow.call(Hold(b"")))
            other = FrameClient(tmp_path / "s")
            for _ in range(10):
                await other.call(Echo(b""))
            assert shard.held == []
            connection.resume_writing()
            (await shard.holds(1))[0][1].send(Said(b"at last"))
            assert await call == Said(b"at last")
            other.close()

    run(story())


def test_a_path_too_long_for_a_socket_is_said_at_once():
    with pytest.raises(UsageError, match="longer than 100"):
        FrameServer("/tmp/" + "x" * 100, lambda request, reply: None, ())
