"""Records for the scenarios: valid by default, so that a test says only what it is about."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_OID, uuid5

NORTH = "north"
Headers = Sequence[tuple[str, bytes | None]]


def party_id(name: str) -> str:
    """The same id for the same name, in every run."""
    return str(uuid5(NAMESPACE_OID, name))


ANNA = party_id("Anna")
"""The customer of a request that names no other."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be sent. topic: without the prefix."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = field(default=())
    topic: str = "ticket.requested"
    partition: int | None = None

    def on(self, topic: str) -> "Message":
        """The same record for another topic."""
        return replace(self, topic=topic)


def encoded(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def request(number: int | str = 1, **fields: object) -> dict[str, object]:
    """The document of a `ticket.requested`; a field that is ... is left out."""
    document: dict[str, object] = {
        "request_id": f"request-{number}",
        "tenant_id": NORTH,
        "customer_id": ANNA,
        "title": f"No connection {number}",
        "description": "The modem shows a red light.",
    }
    return {name: value for name, value in (document | fields).items() if value is not ...}


def requested(number: int | str = 1, *, headers: Headers = (), **fields: object) -> Message:
    document = request(number, **fields)
    key = document.get("customer_id")
    return Message(encoded(document), None if key is None else str(key).encode(), headers)


def customer(name: str = "Anna", **fields: object) -> Message:
    """A `customer.changed`."""
    document: dict[str, object] = {
        "customer_id": party_id(name),
        "tenant_id": NORTH,
        "name": name,
    } | fields
    key = str(document["customer_id"]).encode()
    return Message(encoded(document), key, topic="customer.changed")


def partner(name: str = "Cable & Co", **fields: object) -> Message:
    """A `partner.changed`."""
    document: dict[str, object] = {
        "partner_id": party_id(name),
        "tenant_id": NORTH,
        "name": name,
    } | fields
    key = str(document["partner_id"]).encode()
    return Message(encoded(document), key, topic="partner.changed")


TENANT = {"type": "tenant", "id": "agent-7"}
"""An agent of the tenant: the actor of a change that names no other."""


def change(kind: str, ticket_id: str | None = None, **fields: object) -> dict[str, object]:
    """The document of a `ticket.change_requested`; a field that is ... is left out."""
    document: dict[str, object] = {"change": kind, "tenant_id": NORTH, "actor": TENANT}
    if ticket_id is not None:
        document["ticket_id"] = ticket_id
    return {name: value for name, value in (document | fields).items() if value is not ...}


def change_requested(
    kind: str, ticket_id: str | None = None, *, headers: Headers = (), **fields: object
) -> Message:
    key = None if ticket_id is None else ticket_id.encode()
    document = change(kind, ticket_id, **fields)
    return Message(encoded(document), key, headers, topic="ticket.change_requested")


def tombstone(name: str, topic: str = "customer.changed") -> Message:
    return Message(None, party_id(name).encode(), topic=topic)
