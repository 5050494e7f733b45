"""A subscriber in a process of its own that keeps every fact, and when it had it in its hands."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from benchmarks.subscriber import NothingMoves, beside, ends, reading_from


class Arrival(NamedTuple):
    """A fact. at: seconds since the epoch; value: its data as JSON."""

    at: float
    value: bytes


@dataclass(frozen=True, slots=True)
class _Wanted:
    bootstrap_servers: str
    offsets: dict[str, dict[int, int]]
    count: int


class Collector:
    """Where a process that collects hands over what it has."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def arrivals(self, *, seconds: float) -> list[Arrival]:
        """In the order of their arrival. Raises NothingMoves when they are not complete by then."""
        if not self._pipe.poll(seconds):
            raise NothingMoves(f"The facts were not all readable after {seconds:.0f} s.")
        arrived: list[Arrival] = self._pipe.recv()
        return arrived


@contextmanager
def collecting(bootstrap_servers: str, *topics: str, count: int) -> Iterator[Collector]:
    """Collects the next so many facts of these topics; is ready when the block begins."""
    wanted = _Wanted(bootstrap_servers, ends(bootstrap_servers, topics), count)
    with beside(_collect, wanted) as pipe:
        yield Collector(pipe)


def _collect(pipe: Connection, wanted: _Wanted) -> None:
    consumer = reading_from(wanted.bootstrap_servers, wanted.offsets)
    arrived: list[Arrival] = []
    pipe.send("ready")
    while len(arrived) < wanted.count:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            arrived.append(Arrival(time.time(), bytes(message.value() or b"")))
    pipe.send(arrived)
    consumer.close()
