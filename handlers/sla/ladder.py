"""A step of the escalation ladder: what it does to the ticket, as effects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from handlers.change_facts import Step, steps
from handlers.escalation import point
from handlers.sla.terms import LadderStep
from handlers.ticket import Ticket
from schemas.fields import Team, UserId
from schemas.vocabulary import Priority

REASON: Final = "sla"

_RAISED: Final = dict(zip(Priority, [*list(Priority)[1:], Priority.URGENT], strict=True))
"""One step up. There is nothing above urgent."""


def climbed(ticket: Ticket, step: LadderStep, now: datetime) -> list[Step]:
    """The ticket moved to the step's level, and its priority raised; nothing where it is there.

    Who stands there already, or higher, was moved by somebody who knew why, and is not moved.
    """
    taken = []
    if step.level is None or step.level > ticket.escalation_level:
        taken = _moved(ticket, step, now)
    if step.raises_priority:
        before = taken[-1].ticket if taken else ticket
        after = before.copy()
        after.priority = _RAISED[before.priority]
        taken += steps("ticket.priority_changed", before, after)
    return taken


def _moved(ticket: Ticket, step: LadderStep, now: datetime) -> list[Step]:
    team, user = step.team, step.user
    if team is None and user is None:
        team, user = _whom(ticket.context, step.level)
    after = ticket.copy()
    after.escalation_level = ticket.escalation_level if step.level is None else step.level
    after.assigned_team = team or ticket.assigned_team
    after.escalated_to_user_id = user or ticket.escalated_to_user_id
    if point(after) == point(ticket):
        return []
    after.escalated_at = now
    more = {"from": point(ticket), "to": point(after), "reason": REASON}
    return steps("ticket.escalated", ticket, after, **more)


def _whom(context: Mapping[str, Any], level: int | None) -> tuple[str | None, str | None]:
    """Team and user of a level by the path that a routing rule gave the ticket.

    Who set the context since may have written anything there.
    """
    routing = context.get("routing")
    path = routing.get("escalation_path") if isinstance(routing, dict) else None
    for each in path if isinstance(path, list) else ():
        if isinstance(each, dict) and level is not None and each.get("level") == level:
            return _text(_TEAM, each.get("team")), _text(_USER, each.get("user"))
    return None, None


def _text(form: TypeAdapter[str], value: object) -> str | None:
    """A name as a change that names one would have it; a longer one may fit into no index."""
    try:
        return form.validate_python(value)
    except ValidationError:
        return None


_TEAM: Final = TypeAdapter[str](Team)
_USER: Final = TypeAdapter[str](UserId)
