"""Decisions become rows: a ticket, its first message, the outcome, the fact to publish."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import orjson

from db.bulk import NULL, Row
from handlers.facts import (
    EMPTY_LIST,
    DueDates,
    actor_of,
    compact_json,
    context_of,
    ticket_created,
    ticket_rejected,
)
from handlers.identity import first_message_id, rejection_id
from handlers.outcomes import (
    Change,
    Created,
    Decision,
    Duplicate,
    Known,
    Parked,
    Rejected,
    Request,
)
from handlers.record import place_of
from handlers.sla.beginnings import may_stand_still
from handlers.sla.rows import clock_row, segment_row
from handlers.written import Stamp, Written
from schemas.vocabulary import Kind, Outcome

FactIdentity: TypeAlias = tuple[str, str, str, str, str]
"""Which fact: subject id, sequence, ce_type, ticket number, and the ticket's id, its Kafka key."""

Cause: TypeAlias = tuple[str, str, str]
"""The causing event or request, its traceparent, and the record where there is no id to name."""

NO_CAUSE: Final = (NULL, NULL, NULL)


def rows_of(decisions: Sequence[Decision], known: Known) -> Written:
    """The rows that record these decisions. Those that two workers can meet on are in key order."""
    written = Written()
    stamp = Stamp(known)
    for decision in decisions:
        match decision:
            case Created():
                _write_created(written, decision, stamp)
            case Rejected():
                write_rejected(written, decision, stamp)
            case Parked():
                written.parked[_identity(decision.request)] = decision
                write_outcome(written, decision.request, Outcome.PARKED, NULL, stamp)
            case Duplicate():
                pass
    written.tickets.sort(key=_by_tenant_and_ticket)
    return written


def _identity(request: Request | Change) -> tuple[str, str]:
    return request.tenant_id, request.request_key


def _by_tenant_and_ticket(row: Row) -> tuple[str, str]:
    return row[2], row[0]


def _json_list(values: Sequence[str]) -> str:
    return orjson.dumps(values).decode() if values else EMPTY_LIST


def _write_created(written: Written, created: Created, stamp: Stamp) -> None:
    request, now = created.request, stamp.now
    message, tenant_id, ticket_id = request.message, request.tenant_id, request.ticket_id
    due = _start_clocks(written, created, stamp)
    context = context_of(created)
    actor_type, actor_id = actor_of(request, created.customer_id)
    actor = NULL if actor_id is None else actor_id
    customer_id = NULL if created.customer_id is None else created.customer_id
    if created.customer_is_unlisted:
        written.customers.append((tenant_id, customer_id))
    written.tickets.append(
        (
            ticket_id,
            created.ticket_number,
            tenant_id,
            NULL if message.request_id is None else message.request_id,
            message.title,
            created.priority,
            message.origin_type,
            message.target_type,
            NULL if message.actor is None else actor,
            created.team or NULL,
            created.assignee or NULL,
            customer_id,
            NULL if message.partner_id is None else message.partner_id,
            NULL if message.ticket_type is None else message.ticket_type,
            NULL if message.service_address is None else message.service_address,
            _json_list(message.affected_services),
            _json_list(message.device_serial_numbers),
            context,
            NULL if message.group_key is None else message.group_key,
            NULL if message.requested_at is None else message.requested_at,
            due.resolution or NULL,
            due.first_response or NULL,
            now,
            actor,
            now,
            now,
        )
    )
    attachments = EMPTY_LIST
    if message.attachments:
        attachments = compact_json([item.known() for item in message.attachments])
    written.messages.append(
        (
            first_message_id(ticket_id),
            ticket_id,
            tenant_id,
            "1",
            actor_type,
            actor,
            message.description,
            attachments,
            "false",
            now,
        )
    )
    data = ticket_created(created, context, due, now)
    fact = (ticket_id, "1", "ticket.created", created.ticket_number, ticket_id)
    write_fact(written, request, fact, data, stamp)
    write_outcome(written, request, Outcome.CREATED, NULL, stamp)


def _start_clocks(written: Written, created: Created, stamp: Stamp) -> DueDates:
    request, message = created.request, created.request.message
    if may_stand_still(message.target_type, message.context):
        still = stamp.beginnings.held(created.levels, message.target_type, message.context or {})
        if still is not None:
            key = (request.tenant_id, request.ticket_id)
            written.held_clocks += [clock_row(*key, each) for each in still.clocks]
            written.segments += [segment_row(*key, each) for each in still.segments]
            return still.due
    begun = stamp.beginnings.of(created.levels)
    for row in begun.rows:
        written.new_clocks.append((request.tenant_id, request.ticket_id, *row))
    return begun.due


def write_rejected(written: Written, rejected: Rejected, stamp: Stamp) -> None:
    """Add the fact that a rule refused it, and its outcome."""
    request = rejected.request
    record = request.record
    if record is None:
        message = "a refused call of the library face raises; nothing of it is recorded"
        raise AssertionError(message)
    ce_id = rejection_id(request.request_key, record.topic, record.partition, record.offset)
    write_fact(
        written,
        request,
        (ce_id, "0", "ticket.rejected", NULL, request.ticket_id or request.request_key),
        ticket_rejected(rejected, stamp.now),
        stamp,
    )
    write_outcome(written, request, Outcome.REJECTED, rejected.code, stamp)


def write_fact(
    written: Written,
    request: Request | Change,
    fact: FactIdentity,
    data: str,
    stamp: Stamp,
) -> None:
    """Add a fact that a record caused."""
    row = fact_row(request.tenant_id, fact, data, stamp, stamp.now, cause_of(request))
    written.facts.append(row)


def cause_of(request: Request | Change) -> Cause:
    """What subscribers and the timeline are told of who caused a fact."""
    envelope, record = request.envelope, request.record
    trace = envelope.traceparent or NULL
    if causation_id := envelope.id or request.message.request_id:
        return causation_id, trace, NULL
    return NULL, trace, NULL if record is None else place_of(record)


def fact_row(  # noqa: PLR0917  once per ticket, where names would cost as much again
    tenant_id: str,
    fact: FactIdentity,
    data: str,
    stamp: Stamp,
    occurred_at: str,
    cause: Cause = NO_CAUSE,
) -> Row:
    """A row of FACT_COLUMNS. cause: none where time alone brought it about."""
    subject_id, sequence, ce_type, number, ticket_id = fact
    return (
        tenant_id,
        subject_id,
        sequence,
        stamp.outbox_id,
        ce_type,
        ticket_id,
        number,
        *cause,
        occurred_at,
        data,
    )


def write_outcome(
    written: Written, request: Request | Change, outcome: Outcome, code: str, stamp: Stamp
) -> None:
    """Add or settle the identity's row."""
    record = request.record
    place = (NULL, NULL, NULL)
    if record is not None:
        place = (record.topic, str(record.partition), str(record.offset))
    identity = _identity(request)
    kept = written.settled if identity in stamp.decided else written.requests
    kept[identity] = (
        request.tenant_id,
        request.request_key,
        Kind.CHANGE if isinstance(request, Change) else Kind.REQUEST,
        outcome,
        code,
        request.ticket_id or NULL,
        *place,
        str(request.content_hash),
        stamp.now,
    )
