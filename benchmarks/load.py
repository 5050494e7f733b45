"""The requests that the benchmarks send: about 600 bytes each, the same ones in every run."""

import hashlib
import time
import uuid
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson
from confluent_kafka import Producer

TENANTS = ("north", "south", "east", "west")
CUSTOMER_COUNT = 2_000
REQUESTS_OF_FIVE = 3
"""The others of a mixed load are changes."""

_MOST_UNSENT = 50_000
_NAMESPACE = uuid.UUID("9f0d6c0e-5a0b-4f61-9d0c-0c5c7b6a3e11")
_PRIORITIES = ("low", "normal", "high", "urgent")
_TICKET_TYPES = ("technical_support", "billing_issue", "outage_report", "speed_issue", None)
_DESCRIPTION = (
    "Since yesterday evening the connection drops every few minutes. The modem was restarted "
    "twice, the cables were checked and another device shows the same. Please call back after 17:00"
)


@dataclass(frozen=True, slots=True)
class Customer:
    tenant_id: str
    id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A record to send. topic: where it does not go where the others do."""

    key: bytes
    value: bytes
    topic: str | None = None


def customers() -> list[Customer]:
    return [
        Customer(TENANTS[number % len(TENANTS)], str(uuid.uuid5(_NAMESPACE, str(number))))
        for number in range(CUSTOMER_COUNT)
    ]


def request_id(name: str, number: int) -> str:
    """Ends in the number, which is how a subscriber finds out which request a fact answers."""
    return f"{name}-{number:09}"


def requests(name: str, count: int) -> Iterator[Request]:
    known = customers()
    for number in range(count):
        yield _request(name, number, known[number * 7 % len(known)])


def requests_of(name: str, count: int, tenant_id: str) -> Iterator[Request]:
    """Of customers of one tenant."""
    known = [customer for customer in customers() if customer.tenant_id == tenant_id]
    for number in range(count):
        yield _request(name, number, known[number * 7 % len(known)])


def _request(name: str, number: int, customer: Customer) -> Request:
    body = {
        "request_id": request_id(name, number),
        "tenant_id": customer.tenant_id,
        "customer_id": customer.id,
        "title": f"Line {number % 977} loses its connection in the evening",
        "description": f"{_DESCRIPTION} on {number}.",
        "priority": _PRIORITIES[number % len(_PRIORITIES)],
        "ticket_type": _TICKET_TYPES[number % len(_TICKET_TYPES)],
        "service_address": f"{number % 211} Harbour Street, 20457 Hamburg",
        "affected_services": ["internet", "voice"],
        "device_serial_numbers": [f"SN{number:010}"],
        "context": {"channel": "portal", "line": number % 977},
    }
    return Request(customer.id.encode(), orjson.dumps(body))


def open_ticket_id(number: int) -> str:
    """Of the tickets that stand open before a mixed load; `database.open_tickets` makes them."""
    return str(uuid.UUID(hashlib.md5(f"open-{number}".encode(), usedforsecurity=False).hexdigest()))


def mixed(name: str, count: int, *, tickets: int, change_topic: str) -> Iterator[Request]:
    """Three requests, then two changes of tickets that stand open, each of which is one fact."""
    known = customers()
    for number in range(count):
        if number % 5 < REQUESTS_OF_FIVE:
            yield _request(name, number, known[number * 7 % len(known)])
        else:
            yield _change(name, number, number * 7919 % tickets, change_topic)


def _change(name: str, number: int, ticket: int, topic: str) -> Request:
    kinds: tuple[dict[str, object], ...] = (
        {"change": "add_message", "is_internal": True, "body": f"{_DESCRIPTION} on {number}."},
        {"change": "assign", "assigned_team": f"Team {name} {number}"},
        {"change": "set_fields", "fields": {"service_address": f"{number} Harbour Street, {name}"}},
    )
    body = {
        "request_id": request_id(name, number),
        "tenant_id": TENANTS[ticket % len(TENANTS)],
        "ticket_id": open_ticket_id(ticket),
        "actor": {"type": "tenant", "id": "agent-7"},
        **kinds[number // 5 % len(kinds)],
    }
    return Request(open_ticket_id(ticket).encode(), orjson.dumps(body), topic)


class Backlog:
    """Records that are all on the broker's disk and that nobody can read until they are released.

    They are written in one Kafka transaction: readers of committed records get them all at the
    moment of its commit. So the program under test is up and warm, nothing is being produced
    while it is measured, and the start is known exactly.
    """

    def __init__(self, bootstrap_servers: str, topic: str, requests: Iterable[Request]) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "transactional.id": f"benchmark-{uuid.uuid4()}",
                "transaction.timeout.ms": 900_000,
                "log_level": 0,
            }
        )
        self._producer.init_transactions(60)
        self._producer.begin_transaction()
        for request in requests:
            self._producer.produce(request.topic or topic, request.value, request.key)
            if len(self._producer) >= _MOST_UNSENT:
                self._producer.flush()
        self._producer.flush()
        self._open = True

    def release(self) -> None:
        self._producer.commit_transaction(60)
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self._producer.abort_transaction(60)


def send(bootstrap_servers: str, topic: str, requests: Iterable[Request]) -> None:
    """Send them all and return when the broker has them."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    for request in requests:
        producer.produce(topic, request.value, request.key)
        if len(producer) >= _MOST_UNSENT:
            producer.flush()
    producer.flush()


@dataclass(frozen=True, slots=True)
class Sent:
    """Nanoseconds of the monotonic clock by request number: when it was due, when it was sent."""

    due_at: "array[int]"
    sent_at: "array[int]"


def send_steadily(
    bootstrap_servers: str, topic: str, requests: list[Request], *, per_second: int
) -> Sent:
    """Open loop: the pace depends on the clock alone, never on how the program keeps up."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 0, "log_level": 0})
    producer.list_topics(topic)
    sent = Sent(array("q", bytes(8 * len(requests))), array("q", bytes(8 * len(requests))))
    start = time.monotonic_ns() + 50_000_000
    for number, request in enumerate(requests):
        due = start + number * 1_000_000_000 // per_second
        if (early := due - time.monotonic_ns()) > 0:
            time.sleep(early / 1e9)
        sent.due_at[number] = due
        sent.sent_at[number] = time.monotonic_ns()
        producer.produce(request.topic or topic, request.value, request.key)
        producer.poll(0)
    producer.flush()
    return sent
