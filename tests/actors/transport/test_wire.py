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
from actors.transport.wire import FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX, VERSION, FrameClient, FrameServer
from engine.errors import BY_CODE, CatalogError, InvalidInput, NotReady, Overloaded, SegueError, TooLarge, UsageError


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda story: runner.run(asyncio.wait_for(story, 10))


class Shard:
    """A handler that answers `echo` at once and holds everything else until the story says so."""

    def __init__(self):
        self.held = []
        self._arrived = asyncio.Event()

    def __call__(self, op, payload, reply):
        if op == "echo":
            reply.send(payload)
        elif op == "bug":
            raise ZeroDivisionError("the secret of ada@example.com")
        else:
            self.held.append((op, payload, reply))
            self._arrived.set()

    async def holds(self, count):
        while len(self.held) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.held


@asynccontextmanager
async def listening(path, **limits):
    shard = Shard()
    server, client = FrameServer(path, shard, **limits), FrameClient(path)
    await server.start()
    try:
        yield shard, server, client
    finally:
        client.close()
        await server.close()


def test_answers_may_come_later_and_in_another_order(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            calls = [asyncio.create_task(client.call("hold", b"%d" % n)) for n in range(100)]
            for _, payload, reply in reversed(await shard.holds(100)):
                reply.send(b"answer " + payload)
                reply.send(b"a second answer counts for nothing")
            assert await asyncio.gather(*calls) == [b"answer %d" % n for n in range(100)]
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
            call, other = (asyncio.create_task(client.call("hold", b"")) for _ in range(2))
            (await shard.holds(2))[0][2].fail(error)
            with pytest.raises(SegueError) as caught:
                await call
            shard.held[1][2].send(b"still there")
            assert await other == b"still there"
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
            bug, echo = await asyncio.gather(client.call("bug", b""), client.call("echo", b"x"), return_exceptions=True)
            assert isinstance(bug, SegueError) and "ada" not in str(bug) and echo == b"x"
            assert server.in_flight == 0

    run(story())


@pytest.mark.parametrize("limits", [{"max_in_flight": 2}, {"max_bytes_in_flight": 25}])
def test_requests_beyond_the_bound_are_turned_away_until_there_is_room(run, tmp_path, limits):
    async def story():
        async with listening(tmp_path / "s", **limits) as (shard, _, client):
            calls = [asyncio.create_task(client.call("hold", b"ten bytes.")) for _ in range(3)]
            with pytest.raises(Overloaded):
                await calls[2]
            for _, _, reply in shard.held:
                reply.send(b"done")
            assert await asyncio.gather(*calls[:2]) == [b"done"] * 2
            assert await client.call("echo", b"a payload larger than all bounds") == b"a payload larger than all bounds"

    run(story())


def test_a_client_that_goes_away_does_not_harm_the_others(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            leaver = FrameClient(tmp_path / "s")
            gone = asyncio.create_task(leaver.call("hold", b"gone"))
            await shard.holds(1)
            stays = asyncio.create_task(client.call("hold", b"stays"))
            await shard.holds(2)
            leaver.close()
            with pytest.raises(NotReady):
                await gone
            for _, payload, reply in shard.held:
                reply.send(payload)
            assert await stays == b"stays"
            assert server.in_flight == 0

    run(story())


def test_a_cancelled_call_leaves_the_others_alone(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, _, client):
            calls = [asyncio.create_task(client.call("hold", b"%d" % n)) for n in range(2)]
            await shard.holds(2)
            calls[0].cancel()
            for _, payload, reply in shard.held:
                reply.send(payload)
            assert await calls[1] == b"1"
            assert calls[0].cancelled()

    run(story())


def test_a_dropped_connection_fails_what_is_pending_and_the_next_server_is_found(run, tmp_path):
    async def story():
        path = tmp_path / "s"
        async with listening(path) as (shard, server, _):
            client = FrameClient(path)
            call = asyncio.create_task(client.call("hold", b""))
            await shard.holds(1)
            await server.close()
            with pytest.raises(NotReady):
                await call
            with pytest.raises(NotReady):
                await client.call("echo", b"nobody is there")
        async with listening(path):
            while True:
                try:
                    assert await client.call("echo", b"back") == b"back"
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
        results = await asyncio.gather(*(client.call("echo", b"") for _ in range(50)), return_exceptions=True)
        assert {type(result) for result in results} == {NotReady} and len(dials) == 1
        with pytest.raises(NotReady, match="a moment ago"):
            await client.call("echo", b"")
        assert len(dials) == 1

    run(story())


def test_large_payloads_arrive_whole_and_larger_ones_are_refused(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, _, client):
            large = bytes(range(256)) * (PAYLOAD_BYTES_MAX // 256)
            assert await client.call("echo", large) == large
            with pytest.raises(TooLarge):
                await client.call("echo", bytes(PAYLOAD_BYTES_MAX + 1))
            call = asyncio.create_task(client.call("hold", b""))
            (await shard.holds(1))[0][2].send(bytes(PAYLOAD_BYTES_MAX + 1))
            with pytest.raises(TooLarge):
                await call

    run(story())


def request(version=VERSION, body=None, size=None):
    body = msgspec.msgpack.encode((1, "echo", b"x")) if body is None else body
    return struct.pack(">IB", len(body) + 1 if size is None else size, version) + body


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (request(version=9), "version 9"),
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
            assert last_words[4] == VERSION and reason in last_words.decode(errors="replace")
            assert any(reason in record.reason for record in caplog.records)
            assert await client.call("echo", b"still here") == b"still here"
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
            size = int.from_bytes(await reader.readexactly(4), "big")
            answer = await reader.readexactly(size)
            assert msgspec.msgpack.decode(answer[1:]) == [1, True, b"x"]
            writer.close()

    run(story())


def test_a_server_of_another_version_is_named_in_the_error(run, tmp_path):
    async def answer(reader, writer):
        await reader.read(5)
        writer.write(request(version=2))
        writer.close()

    async def story():
        server = await asyncio.start_unix_server(answer, tmp_path / "s")
        client = FrameClient(tmp_path / "s")
        with pytest.raises(NotReady, match=r"version 2.*version 1"):
            await client.call("echo", b"x")
        client.close()
        server.close()

    run(story())


def test_one_loop_iteration_is_one_write(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, client):
            calls = [asyncio.create_task(client.call("hold", b"")) for _ in range(10)]
            await shard.holds(10)
            (connection,) = server.connections
            writes, real = [], connection.transport

            class Spy:
                write = staticmethod(lambda data: writes.append(data) or real.write(data))
                close = staticmethod(real.close)
                is_closing = staticmethod(real.is_closing)

            connection.transport = CoalescingTransport(Spy)
            for _, _, reply in shard.held:
                reply.send(b"x")
            await asyncio.gather(*calls)
            assert len(writes) == 1

    run(story())


def test_who_does_not_read_answers_is_not_read_either(run, tmp_path):
    async def story():
        async with listening(tmp_path / "s") as (shard, server, slow):
            await slow.call("echo", b"")
            (connection,) = server.connections
            connection.pause_writing()  # as the transport does when too much is unread
            call = asyncio.create_task(slow.call("hold", b""))
            other = FrameClient(tmp_path / "s")
            for _ in range(10):
                await other.call("echo", b"")
            assert shard.held == []
            connection.resume_writing()
            (await shard.holds(1))[0][2].send(b"at last")
            assert await call == b"at last"
            other.close()

    run(story())


def test_a_path_too_long_for_a_socket_is_said_at_once():
    with pytest.raises(UsageError, match="longer than 100"):
        FrameServer("/tmp/" + "x" * 100, lambda op, payload, reply: None)
