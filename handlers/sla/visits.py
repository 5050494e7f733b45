"""A visit to the customer that is agreed on: until then nobody can go on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas.times import Instant

SCHEDULED_VISIT: Final = "scheduled_visit"
"""The member of a ticket's context that says when."""


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
