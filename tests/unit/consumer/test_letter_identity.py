"""Who a dead letter would be, and which ticket it is about, however broken it is."""

import json
from typing import Any

import pytest

from consumer.letter_identity import Addressed, addressed_by, identity_of
from handlers.entries import TopicRole, read
from handlers.record import StoredRecord

REQUEST: dict[str, Any] = {"tenant_id": "north", "title": "x", "request_id": "r1"}
TICKET = "11111111-2222-4333-8444-555555555555"
EVENT_TYPE = ("content-type", b"application/cloudevents+json")


def record(value: object, *headers: tuple[str, bytes]) -> StoredRecord:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return StoredRecord("topic", 1, 2, 3, None, raw, headers)


def who(
    value: object,
    *headers: tuple[str, bytes],
    kind: str = "request",
    tenant: str | None = None,
    request_id: str | None = None,
) -> str | None:
    role = TopicRole(kind, tenant)
    found = record(value, *headers)
    told = identity_of(found, read(found, role, 1_000_000), role, request_id)
    return None if told is None else str(told)


def test_a_broken_request_is_known_by_what_it_still_says() -> None:
    assert who(REQUEST) == "request id r1 of tenant north"
    assert who(REQUEST | {"request_id": None}) == "record topic:1:2 of tenant north"
    assert who(REQUEST, tenant="south") == "request id r1 of tenant south"
    binary = (("ce_id", b"7"), ("ce_source", b"portal"))
    assert who(REQUEST | {"request_id": 5}, *binary) == "event 7 from portal of tenant north"
    event = {"id": "7", "source": "portal", "data": REQUEST | {"request_id": None}}
    assert who(event, EVENT_TYPE) == "event 7 from portal of tenant north"
    assert who(b"{", request_id="r9") == "request id r9"
    assert who(b"{") == "record topic:1:2"
    assert who({"customer_id": "x"}, kind="customer") is None


def test_a_request_that_can_be_read_is_who_it_is() -> None:
    valid = {
        "tenant_id": "north",
        "request_id": " r1 ",
        "customer_id": 7,
        "title": "A line is down",
        "description": "since noon",
    }
    assert who(valid) == "request id r1 of tenant north"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"tenant_id": "north", "ticket_id": TICKET}, Addressed("north", TICKET, None)),
        ({"tenant_id": "north", "ticket_number": "TCK-1"}, Addressed("north", None, "TCK-1")),
        ({"tenant_id": "north", "ticket_id": "no uuid"}, None),
        ({"ticket_id": TICKET}, None),
        ({"tenant_id": 3, "ticket_id": TICKET}, None),
        ([TICKET], None),
        (b"{", None),
    ],
)
def test_a_broken_change_is_about_a_ticket(value: object, expected: Addressed | None) -> None:
    role, found = TopicRole("change"), record(value)
    assert addressed_by(found, read(found, role, 1_000_000), role) == expected


def test_a_request_is_about_none() -> None:
    role, found = TopicRole("request"), record({"tenant_id": "north", "ticket_id": TICKET})
    assert addressed_by(found, read(found, role, 1_000_000), role) is None
