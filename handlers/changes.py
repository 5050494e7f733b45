"""A change and the ticket it addresses: the decision. Pure, and the heart of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from handlers.access import admitted, kind_of, known_actor
from handlers.change_facts import Cause, Step, facts_of, status_step, steps
from handlers.conversation import add_message
from handlers.escalation import escalate
from handlers.life import CLOSED, RATED_IN, TAKEN_WHEN_CLOSED, Deed, find_move, reopening_refusal
from handlers.outcomes import Change, Changed, Effect, Party, Rejected, Unchanged
from handlers.refusal import Refusal, refused
from handlers.sla.course import Choice, Course, met
from handlers.sla.notices import SLA_TYPES
from handlers.sla.terms import DEFAULT_LEVELS, Levels
from handlers.ticket import Ticket
from schemas.ticket_change_requested import (
    AddMessage,
    Assign,
    Escalate,
    Rate,
    SetFields,
    SetPriority,
    SetStatus,
    TicketChangeRequested,
)
from schemas.vocabulary import ActorType, RejectionCode


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """What a tenant may set. highest_level: of escalation, counted from 0 (L1)."""

    reopen_window: timedelta = timedelta(days=7)
    highest_level: int = 9


class Case(NamedTuple):
    """What a change is judged by, besides what it says. at: when it took effect."""

    ticket: Ticket
    actor: ActorType
    key: str
    at: datetime
    now: datetime
    partners: Mapping[str, Party]
    rules: ChangeRules


Plan = list[Step] | Refusal
"""The effects in their order, none if there is nothing to change; or why not."""

DEFAULT_RULES: Final = ChangeRules()


def default_levels(ticket: Ticket) -> Levels:
    """What a ticket's clocks are judged by where its tenant has no policy."""
    return DEFAULT_LEVELS[ticket.priority]


def decide_change(
    change: Change,
    ticket: Ticket | None,
    *,
    now: datetime,
    partners: Mapping[str, Party],
    rules: ChangeRules = DEFAULT_RULES,
    choice: Choice = default_levels,
) -> Changed | Unchanged | Rejected:
    """What becomes of a change. ticket: found within the change's tenant, or None; never altered.

    partners: at least the one that the change names, if it is on record. choice: what the ticket's
    clocks would be judged by. A changed ticket is a new one, to be given to the next change of the
    same ticket. Who may not change a ticket is told so first, and nothing else of it; then whoever
    acts on an old picture. now: when the transaction began; who waited for the ticket longer than
    others has begun before them, and goes on from when the ticket was last changed: its time never
    goes back. What was due on its clocks before it took effect is told before.
    """
    message = change.message
    actor = known_actor(message)
    if isinstance(actor, Refusal):
        return Rejected(change, *actor)
    if ticket is None:
        named = message.ticket_id or message.ticket_number
        return Rejected(change, *refused(RejectionCode.TICKET_NOT_FOUND, id=named))
    now = max(now, ticket.updated_at)
    at = effective_at(message.occurred_at, ticket, now)
    course = Course(ticket, now, choice)
    course.catch_up(at)
    case = Case(course.ticket, actor, change.request_key, at, now, partners, rules)
    plan = admitted(change, ticket, actor) or _out_of_time(message, ticket) or _plan(message, case)
    if at < now and not isinstance(plan, Refusal):
        # Only what it achieves is judged by when it took effect. All else happens now.
        achieved = met(course.ticket, plan[-1].ticket) if plan else ()
        course.catch_up(now, but_for=achieved)
        course.catch_up(at)
        plan = _plan(message, case._replace(ticket=course.ticket))
    if isinstance(plan, Refusal):
        return Rejected(change, *plan)
    if not plan:
        return Unchanged(change, ticket)
    claimant = message.actor
    cause = Cause(actor, None if claimant is None else claimant.id, message.request_id)
    course.take(plan)
    after, effects = facts_of(course.steps, ticket, cause, at=at, now=now)
    after.last_change_sequence, after.last_change_at = _last_of_actor(effects), at
    return Changed(
        change, after, effects, plan[0].message, [*course.clocks.values()], course.segments
    )


def _last_of_actor(effects: Sequence[Effect]) -> int:
    """The sequence of the last fact that somebody caused, not the clocks."""
    return max(
        each.sequence for each in effects if not each.is_by_time and each.ce_type not in SLA_TYPES
    )


def effective_at(occurred_at: datetime | None, ticket: Ticket, now: datetime) -> datetime:
    """When a change takes effect: as it says, within the last change by an actor and now."""
    if occurred_at is None:
        return now
    return min(max(occurred_at, ticket.last_change_at or ticket.updated_at), now)


def _out_of_time(message: TicketChangeRequested, ticket: Ticket) -> Refusal | None:
    """Why it comes too late for the ticket as it is."""
    expected = message.expected_sequence
    if expected is not None and ticket.last_change_sequence > expected:
        return refused(RejectionCode.STALE, sequence=expected)
    if ticket.status is CLOSED and kind_of(message) not in TAKEN_WHEN_CLOSED:
        return refused(RejectionCode.TICKET_CLOSED)
    return None


def _plan(message: TicketChangeRequested, case: Case) -> Plan:
    return PLANS[type(message)](message, case)


def _add_message(message: AddMessage, case: Case) -> Plan:
    return add_message(
        message,
        case.ticket,
        case.actor,
        key=case.key,
        at=case.at,
        now=case.now,
        reopen_window=case.rules.reopen_window,
    )


def _set_status(message: SetStatus, case: Case) -> Plan:
    move = find_move(case.ticket.status, message.status, case.actor)
    if move is None:
        return []
    if isinstance(move, Refusal):
        return move
    if move.deed is Deed.REOPENS and case.actor is ActorType.CUSTOMER:
        refusal = reopening_refusal(case.ticket, case.now, case.rules.reopen_window)
        if refusal is not None:
            return refusal
    return [status_step(case.ticket, move, case.at, case.now)]


def _assign(message: Assign, case: Case) -> Plan:
    return steps("ticket.assigned", case.ticket, _with(case.ticket, message.assignments))


def _set_priority(message: SetPriority, case: Case) -> Plan:
    after = case.ticket.copy()
    after.priority = message.priority
    return steps("ticket.priority_changed", case.ticket, after)


def _set_fields(message: SetFields, case: Case) -> Plan:
    """Each field is replaced as a whole, lists and context too: nothing is merged."""
    after = _with(case.ticket, message.fields.values)
    return steps("ticket.fields_changed", case.ticket, after)


def _escalate(message: Escalate, case: Case) -> Plan:
    return escalate(
        message,
        case.ticket,
        case.actor,
        partners=case.partners,
        highest_level=case.rules.highest_level,
        now=case.now,
    )


def _rate(message: Rate, case: Case) -> Plan:
    """The last word counts, comment and all."""
    if case.ticket.status not in RATED_IN:
        return refused(RejectionCode.NOT_RESOLVED)
    after = case.ticket.copy()
    after.rating, after.rating_comment = message.rating, message.comment or None
    return steps("ticket.rated", case.ticket, after)


def _with(ticket: Ticket, values: Mapping[str, object]) -> Ticket:
    """A copy with these values. Their names are both the change's and the ticket's."""
    after = ticket.copy()
    for name, value in values.items():
        setattr(after, name, value)
    return after


PLANS: Final[Mapping[type[TicketChangeRequested], Callable[[Any, Case], Plan]]] = {
    AddMessage: _add_message,
    SetStatus: _set_status,
    Assign: _assign,
    SetPriority: _set_priority,
    SetFields: _set_fields,
    Escalate: _escalate,
    Rate: _rate,
}
