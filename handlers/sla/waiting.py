"""Why the clocks of a ticket may stand still: read off the ticket, whoever changed it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas.times import Instant
from schemas.vocabulary import ActorType, PauseReason, TicketStatus

SCHEDULED_VISIT: Final = "scheduled_visit"
"""The member of a ticket's context that says when."""


def reasons_to_wait(
    status: TicketStatus, target: ActorType, context: Mapping[str, Any]
) -> tuple[frozenset[PauseReason], datetime | None]:
    """The reasons, and until when a scheduled visit lets it wait."""
    reasons = set()
    if status is TicketStatus.WAITING:
        reasons.add(PauseReason.WAITING_FOR_CUSTOMER)
    if target is ActorType.PARTNER:
        reasons.add(PauseReason.WAITING_FOR_PARTNER)
    visit = scheduled_visit(context)
    if visit is not None:
        reasons.add(PauseReason.SCHEDULED_VISIT)
    return frozenset(reasons), visit


def scheduled_visit(context: Mapping[str, Any]) -> datetime | None:
    """When the visit is, past or to come; None where the context has no RFC 3339 time for it."""
    given = context.get(SCHEDULED_VISIT)
    if given is None:
        return None
    try:
        return _INSTANT.validate_python(given)
    except ValidationError:
        return None


_INSTANT: Final = TypeAdapter[datetime](Instant)
