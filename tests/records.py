"""Records as the intake gets them, and what they ask for: valid, unless a test says otherwise."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from handlers.batch import Broken, Entry
from handlers.entries import TopicRole, read
from handlers.outcomes import Change, Known, Request
from handlers.parties import PartyChange
from handlers.record import StoredRecord
from tests.scenarios.messages import Headers, change, customer, encoded, partner, request

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
MOST_BYTES = 8 * 1024 * 1024
REQUESTS = TopicRole("request")


def stored(
    value: bytes | None,
    offset: int = 0,
    *,
    topic: str = "ticket.requested",
    partition: int = 0,
    timestamp: int = NOON_MS,
    key: bytes | None = None,
    headers: Headers = (),
) -> StoredRecord:
    return StoredRecord(topic, partition, offset, timestamp, key, value, tuple(headers))


def entry_of(record: StoredRecord, role: TopicRole = REQUESTS) -> Entry:
    return read(record, role, MOST_BYTES)


def asked(
    number: int | str = 1,
    offset: int = 0,
    *,
    partition: int = 0,
    timestamp: int = NOON_MS,
    headers: Headers = (),
    bound: str | None = None,
    **fields: Any,  # noqa: ANN401  anything that a sender may write
) -> Request:
    """A request with the id `request-{number}`. bound: the tenant that its topic is bound to."""
    value = encoded(request(number, **fields))
    place = stored(value, offset, partition=partition, timestamp=timestamp, headers=headers)
    found = entry_of(place, TopicRole("request", bound))
    assert isinstance(found, Request), found
    return found


def wanted(
    kind: str,
    ticket_id: str | None = None,
    offset: int = 0,
    *,
    partition: int = 0,
    bound: str | None = None,
    **fields: Any,  # noqa: ANN401  anything that a sender may write
) -> Change:
    """A change, by an agent of the tenant unless another actor is named."""
    place = stored(
        encoded(change(kind, ticket_id, **fields)),
        offset,
        topic="ticket.change_requested",
        partition=partition,
    )
    found = entry_of(place, TopicRole("change", bound))
    assert isinstance(found, Change), found
    return found


def broken(
    offset: int = 0,
    value: bytes | None = b"not json",
    *,
    partition: int = 0,
    timestamp: int = NOON_MS,
) -> Broken:
    found = entry_of(
        stored(
            value,
            offset,
            key=b"key",
            headers=[("x", b"\xff")],
            partition=partition,
            timestamp=timestamp,
        )
    )
    assert isinstance(found, Broken)
    return found


def customer_change(
    name: str = "Anna", offset: int = 0, *, timestamp: int = NOON_MS, **fields: object
) -> PartyChange:
    value = customer(name, **fields).value
    return _change("customer", stored(value, offset, topic="customer.changed", timestamp=timestamp))


def partner_change(name: str = "Cable & Co", offset: int = 0, **fields: object) -> PartyChange:
    return _change(
        "partner", stored(partner(name, **fields).value, offset, topic="partner.changed")
    )


def customer_end(
    party_id: str, offset: int = 0, *, timestamp: int = NOON_MS, bound: str | None = None
) -> PartyChange:
    """A tombstone."""
    place = stored(
        None, offset, topic="customer.changed", key=party_id.encode(), timestamp=timestamp
    )
    return _change("customer", place, bound)


def _change(party: str, record: StoredRecord, bound: str | None = None) -> PartyChange:
    found = entry_of(record, TopicRole(party, bound))
    assert isinstance(found, PartyChange), found
    return found


def known(**facts: object) -> Known:
    """A database in which every customer is an active one, and nothing was decided yet."""
    values: Mapping[str, object] = {"now": NOON, "outbox_id": 7} | facts
    return Known(**values)  # type: ignore[arg-type] # fields of Known


def some_id(name: object) -> str:
    """The same UUID for the same name."""
    return str(uuid5(NAMESPACE_URL, str(name)))


def in_days(days: int) -> str:
    """A time to come, as senders write it: of the database's clock, which no test sets."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    return at.isoformat()
