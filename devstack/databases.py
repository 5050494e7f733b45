"""Databases under random names, made and dropped one by one; nothing else is ever dropped."""

import asyncio
import re
import secrets
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import asyncpg

_NAME = re.compile(r"ticketing_test_[0-9a-f]{12}")


class NotCreatedHere(Exception):
    """Asked to drop a database that this process did not create."""


class _Created:
    """The databases that this process made, as (server, name)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: set[tuple[str, str]] = set()

    def add(self, url: str) -> None:
        with self._lock:
            self._made.add(_server_and_name(url))

    def remove(self, url: str) -> None:
        with self._lock:
            if _server_and_name(url) not in self._made:
                raise NotCreatedHere(f"Database {_server_and_name(url)[1]!r} wasn't created here.")
            self._made.remove(_server_and_name(url))


_created = _Created()


def create_database(url: str, *, template: str | None = None) -> str:
    """Make a database on the server of `url`; returns the new one's URL.

    `template` is the URL of a database to copy, which nobody may be connected to.
    """
    name = f"ticketing_test_{secrets.token_hex(6)}"
    source = "template1" if template is None else _server_and_name(template)[1]
    _run(_execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{source}"'))
    made = urlsplit(url)._replace(path=f"/{name}").geturl()
    _created.add(made)
    return made


def drop_database(url: str) -> None:
    """Drop a database that `create_database` made here, whoever is still connected to it."""
    _created.remove(url)
    maintenance = urlsplit(url)._replace(path="/postgres").geturl()
    _run(_execute(maintenance, f'DROP DATABASE "{_server_and_name(url)[1]}" WITH (FORCE)'))


def _server_and_name(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2], parts.path.removeprefix("/")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own, so that callers inside a running event loop can use it too."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
