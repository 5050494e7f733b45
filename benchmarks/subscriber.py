"""What a subscriber of the facts sees: how many can be read, which ones, in which order, when."""

import multiprocessing
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

_LOOK_SECONDS = 0.02
_SELDOM_SECONDS = 0.5


class NothingMoves(Exception):
    """The facts that a run waits for stopped coming; the message says how many there are."""


class EndWatch:
    """Counts the readable records of a topic by its end offsets.

    A look costs the broker half a millisecond, so there are few until the end comes near. It
    holds as long as nobody publishes to it in transactions, whose markers take an offset each.
    """

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        partitions = self._admin.list_topics(topic, timeout=30).topics[topic].partitions
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._ends = {TopicPartition(topic, number): latest for number in partitions}

    def offsets(self) -> dict[int, int]:
        found = self._admin.list_offsets(
            self._ends, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=30
        )
        return {partition.partition: end.result().offset for partition, end in found.items()}

    def wait_for(
        self, count: int, *, check: Callable[[], None], patience_seconds: float = 60
    ) -> float:
        """The monotonic time at which `count` records were readable.

        `check` raises when waiting is in vain. Raises NothingMoves when no record came for so long.
        """
        start = moved_at = time.monotonic()
        first = seen = sum(self.offsets().values())
        while True:
            readable, now = sum(self.offsets().values()), time.monotonic()
            if readable >= count:
                return now
            check()
            if readable > seen:
                seen, moved_at = readable, now
            elif now - moved_at > patience_seconds:
                raise NothingMoves(f"{readable} of {count} facts came, and then nothing.")
            left = (now - start) * (count - readable) / max(1, readable - first)
            time.sleep(min(max(left / 4, _LOOK_SECONDS), _SELDOM_SECONDS))


def wait_for_members(
    bootstrap_servers: str, group: str, count: int, *, check: Callable[[], None]
) -> None:
    """Returns when the group is stable and so many members of it have partitions.

    `check` raises when waiting is in vain. Raises NothingMoves after a minute.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if _working_members(admin, group) == count:
            return
        check()
        time.sleep(_LOOK_SECONDS)
    raise NothingMoves(f"Group {group} did not get {count} members with partitions.")


def _working_members(admin: AdminClient, group: str) -> int:
    try:
        described = admin.describe_consumer_groups([group], request_timeout=30)[group].result()
    except KafkaException:  # the group or its coordinator does not exist yet
        return 0
    if described.state is not ConsumerGroupState.STABLE:
        return 0
    return sum(bool(one.assignment.topic_partitions) for one in described.members)


@dataclass(slots=True)
class Seen:
    """What was read of fact topics: distinct facts and requests, repetitions and disorder."""

    fact_ids: set[bytes] = field(default_factory=set)
    causes: set[bytes] = field(default_factory=set)
    records: int = 0
    repeated: int = 0
    out_of_order: int = 0
    _highest: dict[tuple[str | None, bytes], int] = field(default_factory=dict)

    def add(self, topic: str | None, key: bytes, headers: dict[str, bytes]) -> None:
        self.records += 1
        if headers["ce_id"] in self.fact_ids:
            self.repeated += 1
            return
        self.fact_ids.add(headers["ce_id"])
        self.causes.add(headers.get("ce_causationid", b""))
        sequence = int(headers["ce_sequence"])
        if sequence <= self._highest.get((topic, key), 0):
            self.out_of_order += 1
        else:
            self._highest[topic, key] = sequence


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or [])  # type: ignore[arg-type]  # a list of pairs, as read


def read_committed(bootstrap_servers: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "benchmark-subscriber",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )


class Reader:
    """Reads the topic from its beginning, as far as it goes at each call."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._watch = EndWatch(bootstrap_servers, topic)
        self._topic = topic
        self._consumer = read_committed(bootstrap_servers)
        self._position = dict.fromkeys(self._watch.offsets(), 0)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._position])
        self.seen = Seen()

    def read_to_the_end(self) -> Seen:
        ends = self._watch.offsets()
        while any(self._position[partition] < end for partition, end in ends.items()):
            for message in self._consumer.consume(1_000, timeout=0.1):
                partition, offset, key = message.partition(), message.offset(), message.key()
                if message.error() or partition is None or offset is None:
                    raise NothingMoves(f"{self._topic} can't be read: {message.error()}.")
                self._position[partition] = offset + 1
                self.seen.add(message.topic(), bytes(key or b""), headers_of(message))
        return self.seen

    def close(self) -> None:
        self._consumer.close()


def read_all(bootstrap_servers: str, topic: str) -> Seen:
    reader = Reader(bootstrap_servers, topic)
    try:
        return reader.read_to_the_end()
    finally:
        reader.close()


class Listener:
    """A subscriber in a process of its own; notes when each request's fact became readable."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def arrivals(self, *, seconds: float) -> "array[int]":
        """Monotonic nanoseconds by request number.

        Raises NothingMoves when they are not complete after so long.
        """
        if not self._pipe.poll(seconds):
            raise NothingMoves(f"The facts were not all readable {seconds:.0f} s after the last.")
        arrived: array[int] = self._pipe.recv()
        return arrived


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Where to listen, from which offset of each topic's partitions, for the facts of which run."""

    bootstrap_servers: str
    offsets: dict[str, dict[int, int]]
    name: str
    count: int


@contextmanager
def beside(target: Callable[[Connection, Any], None], wanted: object) -> Iterator[Connection]:
    """Our end of a pipe to a process that runs the target, ready when the block begins."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=target, args=(theirs, wanted), daemon=True)
    process.start()
    try:
        ours.recv()
        yield ours
    finally:
        process.terminate()
        process.join()


def ends(bootstrap_servers: str, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """Where these topics end now, by topic and partition."""
    return {topic: EndWatch(bootstrap_servers, topic).offsets() for topic in topics}


def reading_from(bootstrap_servers: str, offsets: Mapping[str, Mapping[int, int]]) -> Consumer:
    """A consumer that is connected and waits for what comes after these offsets."""
    consumer = read_committed(bootstrap_servers)
    consumer.assign(
        [
            TopicPartition(topic, number, at)
            for topic, partitions in offsets.items()
            for number, at in partitions.items()
        ]
    )
    consumer.poll(1)
    return consumer


@contextmanager
def listening(bootstrap_servers: str, *topics: str, name: str, count: int) -> Iterator[Listener]:
    """A listener for `count` requests called `name`, which is ready when the block begins."""
    wanted = _Wanted(bootstrap_servers, ends(bootstrap_servers, topics), name, count)
    with beside(_listen, wanted) as pipe:
        yield Listener(pipe)


def _listen(pipe: Connection, wanted: _Wanted) -> None:
    consumer = reading_from(wanted.bootstrap_servers, wanted.offsets)
    arrived = array("q", bytes(8 * wanted.count))
    missing, prefix = wanted.count, wanted.name.encode() + b"-"
    pipe.send("ready")
    while missing:
        message = consumer.poll(1)
        if message is None:
            continue
        now = time.monotonic_ns()
        cause = headers_of(message).get("ce_causationid", b"")
        if cause.startswith(prefix) and not arrived[number := int(cause[len(prefix) :])]:
            arrived[number] = now
            missing -= 1
    pipe.send(arrived)
    consumer.close()
