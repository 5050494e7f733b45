"""What a change does, effect by effect, as facts: the only maker of what an update publishes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from handlers.facts import compact_json, utc
from handlers.life import Deed, Move, moved
from handlers.outcomes import Effect, NewMessage
from handlers.ticket import Ticket
from schemas.vocabulary import SYSTEM_ACTOR

TOLD: Final = (
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
    "rating",
    "rating_comment",
)
"""The fields of a ticket that `changes` tells of; the others only keep the books."""

_TOLD_VALUES: Final = attrgetter(*TOLD)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Cause(NamedTuple):
    """Who caused a fact, an actor or the system, and the request id that it gave."""

    actor_type: str
    actor_id: str | None
    request_id: str | None


SYSTEM: Final = Cause(SYSTEM_ACTOR, None, None)
"""Nobody: time passed."""


class Step(NamedTuple):
    """One effect: its type, the ticket after it, what changed, and what only this type tells.

    since: when time brought it about by itself; None for what somebody did. data: all that is told
    where it is no update of the ticket, but for the sequence.
    """

    ce_type: str
    ticket: Ticket
    changes: Mapping[str, Any]
    more: Mapping[str, Any] = _NOTHING
    message: NewMessage | None = None
    since: datetime | None = None
    data: Mapping[str, Any] | None = None


def steps(ce_type: str, before: Ticket, after: Ticket, **more: object) -> list[Step]:
    """The effect that made `after` of `before`, as the only step; none if they are the same."""
    changes = difference(before, after)
    return [Step(ce_type, after, changes, more)] if changes else []


def status_step(before: Ticket, move: Move, at: datetime, now: datetime) -> Step:
    """The effect of a move through the ticket's life."""
    after = moved(before, move, at, now)
    ce_type = "ticket.reopened" if move.deed is Deed.REOPENS else "ticket.status_changed"
    return Step(ce_type, after, difference(before, after))


def message_step(before: Ticket, after: Ticket, message: NewMessage) -> Step:
    """A message, and what it changed by being there. What is internal is never published."""
    told = {
        "message_id": message.id,
        "body": None if message.is_internal else message.body,
        "sender_type": message.sender_type,
        "is_internal": message.is_internal,
    }
    changes = difference(before, after)
    return Step("ticket.message_added", after, changes, {"message": told}, message)


def facts_of(
    taken: Sequence[Step], before: Ticket, cause: Cause, *, at: datetime, now: datetime
) -> tuple[Ticket, list[Effect]]:
    """The ticket after these steps, one at least, and their facts, numbered onwards.

    at: when they took effect. That an actor caused them is for the caller to note on the ticket.
    """
    shared = _shared(before, cause, at, now)
    effects = []
    for number, step in enumerate(taken, before.sequence + 1):
        if step.data is not None:
            data = {**step.data, "sequence": number}
        else:
            told = shared if step.since is None else _shared(before, SYSTEM, step.since, now)
            data = {**told, "changes": step.changes, **step.more, "sequence": number}
        is_by_time = step.since is not None
        effects.append(Effect(step.ce_type, number, compact_json(data), is_by_time))
    after = taken[-1].ticket.copy()
    after.sequence = before.sequence + len(effects)
    after.updated_at = now
    return after, effects


def facts_by_time(
    taken: Sequence[Step], before: Ticket, now: datetime
) -> tuple[Ticket, list[Effect]]:
    """The same of what time alone brought about: no actor's change took effect by it."""
    after, effects = facts_of(taken, before, SYSTEM, at=now, now=now)
    after.last_change_at = before.last_change_at or before.updated_at
    return after, effects


def _shared(before: Ticket, cause: Cause, at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "ticket_id": before.id,
        "ticket_number": before.number,
        "tenant_id": before.tenant_id,
        "request_id": cause.request_id,
        "actor": {"type": cause.actor_type, "id": cause.actor_id},
        "message": None,
        "occurred_at": utc(at),
        "updated_at": utc(now),
    }


def difference(before: Ticket, after: Ticket) -> dict[str, Any]:
    """What changed, as facts tell it: {field: {from, to}}."""
    changes = {}
    for name, was, is_now in zip(TOLD, _TOLD_VALUES(before), _TOLD_VALUES(after), strict=True):
        if was is not is_now and not same(was, is_now):
            changes[name] = {"from": _told(was), "to": _told(is_now)}
    return changes


def same(one: object, other: object) -> bool:
    """Whether two values are one value as JSON: true is not 1, and a tuple is a list."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case ((list() | tuple()), (list() | tuple())):
            return len(one) == len(other) and all(map(same, one, other))
        case (int(whole), float(number)) | (float(number), int(whole)):
            return Decimal(repr(number)) == whole  # as PostgreSQL keeps it
        case _:
            return one == other


def _told(value: Any) -> Any:  # noqa: ANN401  any field of a ticket
    return utc(value) if isinstance(value, datetime) else value
