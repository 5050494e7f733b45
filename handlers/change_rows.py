"""Changes become rows: the ticket as it is now, a message, facts and the outcome."""

from collections.abc import Sequence
from typing import Final

from db.bulk import NULL, Row
from handlers.facts import compact_json
from handlers.outcomes import Changed, ChangeDecision, Duplicate, Known, Rejected, Unchanged
from handlers.rows import (
    Stamp,
    Written,
    instant,
    json_list,
    write_fact,
    write_outcome,
    write_rejected,
)
from handlers.ticket import Ticket
from schemas.vocabulary import Outcome

CHANGED_COLUMNS: Final = (
    "tenant_id",
    "id",
    "status",
    "priority",
    "target_type",
    "partner_id",
    "assigned_team",
    "assigned_to_user_id",
    "ticket_type",
    "service_address",
    "affected_services",
    "device_serial_numbers",
    "context",
    "sla_due_date",
    "first_response_due_at",
    "first_response_at",
    "resolved_at",
    "closed_at",
    "resolution_time_minutes",
    "escalation_level",
    "escalated_at",
    "escalated_to_user_id",
    "last_response_at",
    "rating",
    "rating_comment",
    "sequence",
    "last_change_sequence",
    "last_change_at",
    "updated_at",
)
"""What a change may set, after the key."""


def add_changes(written: Written, decisions: Sequence[ChangeDecision], known: Known) -> None:
    """Add the rows that record these decisions to those of the batch's requests."""
    stamp = Stamp(known)
    for decision in decisions:
        match decision:
            case Changed():
                _write_changed(written, decision, stamp)
            case Unchanged():
                write_outcome(written, decision.request, Outcome.UNCHANGED, NULL, stamp)
            case Rejected():
                write_rejected(written, decision, stamp)
            case Duplicate():
                pass


def _write_changed(written: Written, changed: Changed, stamp: Stamp) -> None:
    request, ticket, message = changed.request, changed.ticket, changed.message
    changed_at = instant(ticket.updated_at)
    written.changed[ticket.tenant_id, ticket.id] = _changed_row(ticket)
    if message is not None:
        written.messages.append(
            (
                message.id,
                ticket.id,
                ticket.tenant_id,
                str(changed.effects[0].sequence),  # its fact is the first
                message.sender_type,
                NULL if message.sender_id is None else message.sender_id,
                message.body,
                message.attachments,
                "true" if message.is_internal else "false",
                changed_at,
            )
        )
    for effect in changed.effects:
        fact = (ticket.id, str(effect.sequence), effect.ce_type, ticket.number, ticket.id)
        write_fact(written, request, fact, effect.data, stamp, occurred_at=changed_at)
    write_outcome(written, request, Outcome.CHANGED, NULL, stamp)


def _changed_row(ticket: Ticket) -> Row:
    return (
        ticket.tenant_id,
        ticket.id,
        ticket.status,
        ticket.priority,
        ticket.target_type,
        *map(
            _text,
            (
                ticket.partner_id,
                ticket.assigned_team,
                ticket.assigned_to_user_id,
                ticket.ticket_type,
                ticket.service_address,
            ),
        ),
        json_list(ticket.affected_services),
        json_list(ticket.device_serial_numbers),
        compact_json(ticket.context),
        *map(
            instant,
            (
                ticket.sla_due_date,
                ticket.first_response_due_at,
                ticket.first_response_at,
                ticket.resolved_at,
                ticket.closed_at,
            ),
        ),
        _text(ticket.resolution_time_minutes),
        str(ticket.escalation_level),
        instant(ticket.escalated_at),
        _text(ticket.escalated_to_user_id),
        instant(ticket.last_response_at),
        _text(ticket.rating),
        _text(ticket.rating_comment),
        str(ticket.sequence),
        str(ticket.last_change_sequence),
        instant(ticket.last_change_at),
        instant(ticket.updated_at),
    )


def _text(value: str | int | None) -> str:
    return NULL if value is None else str(value)
