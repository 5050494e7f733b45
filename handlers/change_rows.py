"""Changes become rows: the ticket as it is now, a message, facts and the outcome."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from db.bulk import NULL, Row
from handlers.change_facts import TOLD
from handlers.facts import compact_json, utc
from handlers.outcomes import Changed, ChangeDecision, Duplicate, Effect, Known, Rejected, Unchanged
from handlers.rows import (
    NO_CAUSE,
    Cause,
    cause_of,
    fact_row,
    write_outcome,
    write_rejected,
)
from handlers.ticket import Ticket
from handlers.written import Stamp, Written
from schemas.vocabulary import Outcome

CHANGED_COLUMNS: Final = (
    *("tenant_id", "id"),
    *TOLD,
    *("sla_breached", "last_response_at", "sequence", "last_change_sequence"),
    *("last_change_at", "updated_at"),
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
    written.keep_clocks(ticket.tenant_id, ticket.id, changed.clocks, changed.segments)
    if message is not None:
        written.messages.append(
            (
                message.id,
                ticket.id,
                ticket.tenant_id,
                str(_sequence_of_message(changed.effects)),
                message.sender_type,
                NULL if message.sender_id is None else message.sender_id,
                message.body,
                message.attachments,
                "true" if message.is_internal else "false",
                changed_at,
            )
        )
    for effect in changed.effects:
        cause = NO_CAUSE if effect.is_by_time else cause_of(request)
        written.facts.append(effect_row(ticket, effect, stamp, cause))
    write_outcome(written, request, Outcome.CHANGED, NULL, stamp)


def ticket_row(ticket: Ticket, columns: Iterable[str]) -> Row:
    """These columns of a ticket. Its fields have the columns' names."""
    return tuple([_cell(getattr(ticket, name)) for name in columns])


def effect_row(ticket: Ticket, effect: Effect, stamp: Stamp, cause: Cause = NO_CAUSE) -> Row:
    """The fact that an effect on a ticket is; no cause where time alone brought it about."""
    fact = (ticket.id, str(effect.sequence), effect.ce_type, ticket.number, ticket.id)
    changed_at = utc(ticket.updated_at)
    return fact_row(ticket.tenant_id, fact, effect.data, stamp, changed_at, cause)


def _sequence_of_message(effects: Iterable[Effect]) -> int:
    """That of its fact."""
    return next(each.sequence for each in effects if each.ce_type == "ticket.message_added")


def _cell(value: Any) -> str:  # noqa: ANN401  any field of a ticket
    match value:
        case None:
            return NULL
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return utc(value)
        case int():
            return str(value)
        case _:
            return compact_json(value)
