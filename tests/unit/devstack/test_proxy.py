"""A proxy's trouble, byte by byte, in front of a server that answers with what it is given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from devstack.ports import free_port
from devstack.proxy import Act, Proxy, Toward, Trouble

SECONDS = 20


class Echo:
    """Sends back what comes, and keeps it."""

    def __init__(self) -> None:
        self.received = bytearray()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(1_000):
                self.received += chunk
                writer.write(chunk)
        writer.close()


@asynccontextmanager
async def through_a_proxy() -> AsyncIterator[tuple[Proxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1")
    proxy = Proxy(free_port(), server.sockets[0].getsockname()[1])
    async with asyncio.timeout(SECONDS), server, proxy.listening():
        yield proxy, echo


async def said(proxy: Proxy, *words: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A new connection on which these words came back, one by one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    for word in words:
        writer.write(word)
        assert await reader.readexactly(len(word)) == word
    return reader, writer


async def test_it_passes_everything_on_both_ways() -> None:
    async with through_a_proxy() as (proxy, _):
        reader, writer = await said(proxy, b"hello", b"x" * 300_000)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("toward", Toward)
async def test_a_connection_is_cut_after_so_many_bytes(toward: Toward) -> None:
    async with through_a_proxy() as (proxy, echo):
        proxy.begin(Trouble(Act.CUT, then_toward=toward, after_bytes=7))
        reader, writer = await said(proxy, b"hello")
        writer.write(b"again")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(5)
        await proxy.has_struck.wait()
        assert proxy.struck == 1
        if toward is Toward.SERVER:
            assert bytes(echo.received) in {b"hello", b"helloag"}  # a reset may overtake bytes


async def test_trouble_begins_once_something_was_seen_even_in_two_pieces() -> None:
    async with through_a_proxy() as (proxy, echo):
        proxy.begin(
            Trouble(Act.HOLD, once_seen=(b"BEGIN", b"COMMIT"), held=frozenset({Toward.CLIENT}))
        )
        reader, writer = await said(proxy, b"COMMIT", b"BEGIN", b"COM")
        assert not proxy.has_struck.is_set()
        writer.write(b"MIT;")
        await proxy.has_struck.wait()
        proxy.heal(late=True)
        assert await reader.readexactly(4) == b"MIT;"
        assert bytes(echo.received) == b"COMMITBEGINCOMMIT;"
        writer.close()


async def test_a_black_hole_takes_what_it_is_given_and_passes_nothing_on() -> None:
    async with through_a_proxy() as (proxy, echo):
        reader, writer = await said(proxy, b"hello")
        proxy.hold(Toward.SERVER)
        _, other = await asyncio.open_connection("127.0.0.1", proxy.port)
        for each in (writer, other):
            proxy.has_withheld.clear()
            each.write(b"lost")
            await proxy.has_withheld.wait()
        assert bytes(echo.received) == b"hello"
        proxy.heal()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        _, new = await said(proxy, b"a new one works")
        assert bytes(echo.received) == b"helloa new one works"
        for each in (writer, other, new):
            each.close()


async def test_what_is_slow_comes_in_order() -> None:
    async with through_a_proxy() as (proxy, _):
        proxy.delay(0.02)
        _, writer = await said(proxy, b"one", b"x" * 300_000, b"three")
        writer.close()


async def test_a_server_that_is_away_is_a_connection_that_ends() -> None:
    proxy = Proxy(free_port(), free_port())
    async with asyncio.timeout(SECONDS), proxy.listening():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
