"""Examples of every kind of record, made by the code that decides and publishes."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from consumer.contract_story import (
    BROKEN,
    CHANGES,
    CUSTOMER,
    OPENED_AT,
    PARTIES,
    REFUSED,
    REQUEST,
    TENANT,
)
from consumer.outgoing import Outgoing, as_read, facts_going_out, letters_going_out
from db.bulk import Row
from handlers.batch import Broken, Entry
from handlers.change_rows import add_changes, effect_row
from handlers.changes import decide_change
from handlers.entries import TopicRole, read
from handlers.outcomes import Change, Changed, Created, Known, Request, Rules
from handlers.record import StoredRecord, arrays_of
from handlers.requests import decide
from handlers.rows import rows_of
from handlers.sla.clock import start
from handlers.sla.firing import move_on
from handlers.ticket import Ticket
from handlers.written import Stamp, Written
from schemas.asyncapi import GROUP, Example
from schemas.catalogue import TOPIC_OF_CE_TYPE
from schemas.vocabulary import SlaMetric, TicketStatus

_ROLES: Final = {
    "ticket.requested": TopicRole("request"),
    "ticket.change_requested": TopicRole("change"),
    "customer.changed": TopicRole("customer"),
    "partner.changed": TopicRole("partner"),
}
_LOOKED_AT: Final = (50, 61)
"""Minutes after which the clocks are looked at: a warning is due by then, and a breach."""


def examples() -> dict[str, list[Example]]:
    """Examples by what they are: a ce_type, an inbound topic, or a dead letter topic."""
    created, known = _created(), _known_at(0)
    ticket = opened(created, known)
    found = {
        "ticket.requested": [Example(CUSTOMER, {}, dict(REQUEST))],
        "ticket.change_requested": [
            Example(ticket.id, {}, asked) for _, asked in _asked_of(ticket)
        ],
    }
    for topic, document in PARTIES.items():
        party_id = document[f"{topic.removesuffix('.changed')}_id"]
        found[topic] = [Example(str(party_id), {}, dict(document))]
    for record in (*_facts(created, ticket, known), *_letters()):
        headers = {name: (value or b"").decode() for name, value in record.headers}
        example = Example((record.key or b"").decode(), headers, json.loads(record.value or b""))
        found.setdefault(headers.get("ce_type", record.topic), []).append(example)
    return found


def example_fact() -> str:
    """The fact that the request leads to, as JSON."""
    data: str = rows_of([_created()], _known_at(0)).facts[0][-1]
    return data


def _known_at(minutes: int) -> Known:
    """What the database knows so long after the beginning: nothing that stands in the way."""
    return Known(now=OPENED_AT + timedelta(minutes=minutes), outbox_id=1)


def _facts(created: Created, ticket: Ticket, known: Known) -> Iterator[Outgoing]:
    """Everything that is told of the ticket, and one refusal."""
    yield from _going_out(rows_of([created], known).facts, known)
    for minutes in _LOOKED_AT:
        known = _known_at(minutes)
        moved = move_on(ticket, known.now, lambda _: created.levels)
        ticket, stamp = moved.ticket, Stamp(known)
        yield from _going_out([effect_row(ticket, each, stamp) for each in moved.effects], known)
    for minutes, asked in _asked_of(ticket):
        known = _known_at(minutes)
        change = _entry(asked, "ticket.change_requested")
        if not isinstance(change, Change):
            raise TypeError(f"the example is no change: {change}")
        decision = decide_change(change, ticket, now=known.now, partners={})
        if not isinstance(decision, Changed):
            raise TypeError(f"the example changes nothing: {decision}")
        written, ticket = Written(), decision.ticket
        add_changes(written, [decision], known)
        yield from _going_out(written.facts, known)
    refused = decide([_request(REFUSED)], known, Rules())
    yield from _going_out(rows_of(refused, known).facts, known)


def _going_out(rows: list[Row], known: Known) -> list[Outgoing]:
    return facts_going_out(as_read(rows, known.now), TOPIC_OF_CE_TYPE.__getitem__)


def _letters() -> list[Outgoing]:
    """A dead letter of each topic that has any."""
    return letters_going_out([_letter(_entry(BROKEN[topic], topic)) for topic in BROKEN])


def _letter(entry: Entry) -> Mapping[str, Any]:
    """A row of db.letters.LETTER, as far as it goes out."""
    if not isinstance(entry, Broken):
        raise TypeError(f"the example is no dead letter: {entry}")
    record = entry.record
    names, values = arrays_of(record)
    return {
        "header_names": names,
        "header_values": values,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "record_timestamp": record.timestamp,
        "group_id": GROUP,
        "error_class": entry.error_class,
        "error_message": entry.message,
        "error_path": entry.path,
        "attempts": 1,
        "failed_at": OPENED_AT,
        "key": record.key,
        "value": record.value,
    }


def _entry(document: Mapping[str, object], topic: str) -> Entry:
    """The document as a record that came in."""
    value = json.dumps(document).encode()
    at = int(OPENED_AT.timestamp() * 1000)
    record = StoredRecord(topic, 0, 41, at, CUSTOMER.encode(), value, ())
    return read(record, _ROLES[topic], len(value))


def _request(document: Mapping[str, object]) -> Request:
    request = _entry(document, "ticket.requested")
    if not isinstance(request, Request):
        raise TypeError(f"the example is no request: {request}")
    return request


def _created() -> Created:
    (created,) = decide([_request(REQUEST)], _known_at(0), Rules())
    if not isinstance(created, Created):
        raise TypeError(f"the example opens no ticket: {created}")
    return created


def _asked_of(ticket: Ticket) -> Iterator[tuple[int, dict[str, object]]]:
    """The changes as they are asked for, and after how many minutes."""
    for number, (minutes, asked) in enumerate(CHANGES, 1):
        yield (
            minutes,
            {
                "request_id": f"desk-{number}",
                "tenant_id": TENANT,
                "ticket_id": ticket.id,
                **asked,
            },
        )


def opened(created: Created, known: Known) -> Ticket:
    """The ticket as its row is read again for its first change."""
    message, now = created.request.message, known.now
    terms = zip(SlaMetric, created.levels, strict=True)
    clocks = {metric: start(each, now) for metric, each in terms if each is not None}
    return Ticket(
        id=created.request.ticket_id,
        number=created.ticket_number,
        tenant_id=created.request.tenant_id,
        status=TicketStatus.OPEN,
        priority=created.priority,
        origin_type=message.origin_type,
        target_type=message.target_type,
        customer_id=created.customer_id,
        customer_external_id=None,
        partner_id=message.partner_id,
        assigned_team=created.team,
        assigned_to_user_id=None,
        ticket_type=message.ticket_type,
        service_address=message.service_address,
        affected_services=message.affected_services,
        device_serial_numbers=message.device_serial_numbers,
        context=dict(message.context or {}),
        sla_due_date=clocks[SlaMetric.RESOLUTION].due_at,
        first_response_due_at=clocks[SlaMetric.FIRST_RESPONSE].due_at,
        first_response_at=None,
        resolved_at=None,
        closed_at=None,
        resolution_time_minutes=None,
        escalation_level=0,
        escalated_at=None,
        escalated_to_user_id=None,
        last_response_at=now,
        rating=None,
        rating_comment=None,
        sequence=1,
        last_change_sequence=1,
        created_at=now,
        updated_at=now,
        clocks=clocks,
    )
