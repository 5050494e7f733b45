"""Changes become rows: the ticket as it is now, a message, facts and the outcome."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from db.bulk import NULL, Row
from handlers.change_facts import TOLD
from handlers.facts import compact_json, utc
from handlers.outcomes import Changed, ChangeDecision, Duplicate, Effect, Known, Rejected, Unchanged
from handlers.rows import FactIdentity, Stamp, Written, write_fact, write_outcome, write_rejected
from handlers.ticket import Ticket
from schemas.vocabulary import Outcome

CHANGED_COLUMNS: Final = (
    *("tenant_id", "id"),
    *TOLD,
    *("last_response_at", "sequence", "last_change_sequence", "last_change_at", "updated_at"),
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
    changed_at = utc(ticket.updated_at)
    written.changed[ticket.tenant_id, ticket.id] = ticket_row(ticket, CHANGED_COLUMNS)
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
        key = fact_of(ticket, effect)
        write_fact(written, request, key, effect.data, stamp, occurred_at=changed_at)
    write_outcome(written, request, Outcome.CHANGED, NULL, stamp)


def ticket_row(ticket: Ticket, columns: Iterable[str]) -> Row:
    """These columns of a ticket. Its fields have the columns' names."""
    return tuple([_cell(getattr(ticket, name)) for name in columns])


def fact_of(ticket: Ticket, effect: Effect) -> FactIdentity:
    """Which fact an effect is."""
    return ticket.id, str(effect.sequence), effect.ce_type, ticket.number, ticket.id


def _cell(value: Any) -> str:  # noqa: ANN401  any field of a ticket
    match value:
        case None:
            return NULL
        case str():
            return value
        case datetime():
            return utc(value)
        case int():
            return str(value)
        case _:
            return compact_json(value)
