import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus

import pytest

from consumer.http_server import (
    LONGEST_HEAD,
    MOST_CONNECTIONS,
    CannotListen,
    Page,
    json_page,
    listen,
    serving,
)


async def _hello() -> Page:
    return Page(HTTPStatus.OK, "text/plain", b"hello")


async def _broken() -> Page:
    raise ValueError("a page's own fault")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = listen("127.0.0.1", 0)
    async with serving(listener, {"/hello": _hello, "/broken": _broken}) as address:
        yield int(address.rpartition(":")[2])


async def sent(port: int, request: bytes, *, then_close: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if then_close:
        writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_a_page_is_served_and_the_connection_closed(port: int) -> None:
    assert await sent(port, get("/hello?name=x")) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
        b"Connection: close\r\n\r\nhello"
    )


async def test_head_gets_no_body(port: int) -> None:
    answer = await sent(port, get("/hello", "HEAD"))

    assert b"Content-Length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/nothing"), b"404"),
        (get("/"), b"404"),
        (get("/hello", "POST"), b"405"),
        (get("/broken"), b"500"),
        (b"\r\n\r\n", b"400"),
        (b"GET /hello\r\n\r\n", b"400"),
        (b"\xff\x00\xfe a HTTP/1.1\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET " + b"x" * LONGEST_HEAD * 2, b"400"),
    ],
)
async def test_a_bad_request_gets_its_status_and_hurts_nobody(
    request_bytes: bytes, status: bytes, port: int
) -> None:
    answer = await sent(port, request_bytes)

    assert answer.split()[1:2] in ([status], [])  # [] where the rest of a request was cut off
    assert (await sent(port, get("/hello"))).endswith(b"hello")


@pytest.mark.parametrize("request_bytes", [b"", b"GET /hel"])
async def test_a_caller_who_leaves_hurts_nobody(request_bytes: bytes, port: int) -> None:
    answer = await sent(port, request_bytes, then_close=True)

    assert answer.split()[1:2] in ([b"400"], [])
    assert (await sent(port, get("/hello"))).endswith(b"hello")


async def test_of_too_many_callers_who_keeps_silent_longest_makes_room(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
    silent[0][1].write(b"GET /hel")  # not a whole request, so as good as silence

    assert (await sent(port, get("/hello"))).endswith(b"hello")

    with suppress(ConnectionResetError):
        assert await silent[0][0].read() == b""
    silent[1][1].write(get("/hello"))
    assert (await silent[1][0].read()).endswith(b"hello")
    for _, writer in silent:
        writer.close()


async def test_callers_who_wait_for_their_answer_are_never_turned_away() -> None:
    asked, release = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> Page:
        asked.release()
        await release.wait()
        return await _hello()

    async with serving(listen("127.0.0.1", 0), {"/slow": slow}) as address:
        port = int(address.rpartition(":")[2])
        waiting = [asyncio.create_task(sent(port, get("/slow"))) for _ in range(MOST_CONNECTIONS)]
        for _ in waiting:
            await asked.acquire()

        assert await sent(port, get("/slow")) == b""

        release.set()
        assert all([(await answer).endswith(b"hello") for answer in waiting])


async def test_who_is_still_connected_at_the_end_is_dropped_without_a_word() -> None:
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    try:
        async with serving(listen("127.0.0.1", 0), {"/hello": _hello}) as address:
            port = int(address.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await sent(port, get("/hello"))).endswith(b"hello")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
    finally:
        loop.set_exception_handler(None)
    assert complaints == []


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"HTTP can't listen on 127.0.0.1:{number} \(Addr"):
            listen("127.0.0.1", number)


def test_a_host_that_is_not_ours_is_told_in_one_sentence() -> None:
    with pytest.raises(CannotListen, match="give TICKETING_HTTP_HOST an address"):
        listen("192.0.2.1", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_ipv6_host_is_served_too() -> None:
    async with serving(listen("::1", 0), {"/hello": _hello}) as address:
        assert address.startswith("[::1]:")


def test_a_json_page_is_good_or_unavailable() -> None:
    assert json_page(is_good=True, document={"live": True}).status is HTTPStatus.OK
    bad = json_page(is_good=False, document={"live": False})
    assert (bad.status, bad.body) == (HTTPStatus.SERVICE_UNAVAILABLE, b'{"live":false}\n')
