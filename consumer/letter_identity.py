"""Who a dead letter's request would be, and which ticket it addresses, as far as it can be read."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consumer.letter_content import Claim, Unreadable, claim_of, content_of
from handlers.batch import Entry
from handlers.entries import TopicRole
from handlers.outcomes import Change, Request
from handlers.record import Record, place_of
from schemas.envelope import read_envelope
from schemas.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class Identity:
    """form: request_id, cloudevent or record; name: what it is called there, in words."""

    form: str
    name: str
    tenant_id: str | None

    def __str__(self) -> str:
        tenant = "" if self.tenant_id is None else f" of tenant {self.tenant_id}"
        return f"{self.name}{tenant}"


@dataclass(frozen=True, slots=True)
class Addressed:
    """The ticket that a change is about, by its id or its number."""

    tenant_id: str
    ticket_id: str | None
    ticket_number: str | None


def identity_of(
    record: Record, entry: Entry, role: TopicRole, request_id: str | None
) -> Identity | None:
    """By the rules of handlers.entries; None for customers and partners, which have none.

    request_id: what the letter's row could make of it where the value can't be parsed.
    """
    if role.kind not in {Kind.REQUEST, Kind.CHANGE}:
        return None
    if isinstance(entry, Request | Change):
        name, event = entry.message.request_id, entry.envelope.identity
        return _identity(record, name, event, entry.tenant_id)
    claim = claim_of(record.value, record.headers)
    event = read_envelope(record.headers).identity or _event(claim)
    name = _text(claim.request_id) or request_id
    return _identity(record, name, event, role.tenant or _text(claim.tenant_id))


def addressed_by(record: Record, entry: Entry, role: TopicRole) -> Addressed | None:
    """The ticket of a change, be it broken otherwise; None where none is named, or no tenant."""
    if isinstance(entry, Change):
        message = entry.message
        return Addressed(entry.tenant_id, message.ticket_id, message.ticket_number)
    if role.kind != Kind.CHANGE:
        return None
    try:
        data = content_of(record.value, record.headers).data
    except Unreadable:
        return None
    if not isinstance(data, dict):
        return None
    tenant_id = role.tenant or _text(data.get("tenant_id"))
    ticket_id, number = _uuid(data.get("ticket_id")), _text(data.get("ticket_number"))
    if tenant_id is None or (ticket_id is None and number is None):
        return None
    return Addressed(tenant_id, ticket_id, number)


def _identity(
    record: Record, request_id: str | None, event: tuple[str, str] | None, tenant_id: str | None
) -> Identity:
    if request_id is not None:
        return Identity("request_id", f"request id {request_id}", tenant_id)
    if event is not None:
        return Identity("cloudevent", f"event {event[1]} from {event[0]}", tenant_id)
    return Identity("record", f"record {place_of(record)}", tenant_id)


def _event(claim: Claim) -> tuple[str, str] | None:
    source, id_ = _text(claim.source), _text(claim.id)
    return None if source is None or id_ is None else (source, id_)


def _text(value: Any) -> str | None:  # noqa: ANN401  any JSON value
    return (value.strip() or None) if isinstance(value, str) and "\0" not in value else None


def _uuid(value: Any) -> str | None:  # noqa: ANN401  any JSON value
    try:
        return str(UUID(value.strip())) if isinstance(value, str) else None
    except ValueError:
        return None
