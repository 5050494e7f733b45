"""The default targets of the contract (DESIGN 1.6), in hours."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from handlers.facts import DueDates
from handlers.sla.beginnings import Beginnings
from handlers.sla.terms import DEFAULT_LEVELS
from schemas.vocabulary import Priority

HOURS = {
    Priority.URGENT: (1, 8),
    Priority.HIGH: (4, 24),
    Priority.NORMAL: (24, 72),
    Priority.LOW: (48, 168),
}


def due_dates(created_at: datetime, priority: Priority) -> DueDates:
    return Beginnings(created_at).of(DEFAULT_LEVELS[priority]).due


@pytest.mark.parametrize("priority", Priority)
def test_every_priority_has_its_hours(priority: Priority) -> None:
    created_at = datetime(2026, 3, 28, 23, 30, 0, 1, tzinfo=UTC)  # a night with a change of clocks
    first_response, resolution = due_dates(created_at, priority)
    assert first_response is not None
    assert resolution is not None
    hours = [timedelta(hours=each) for each in HOURS[priority]]
    assert datetime.fromisoformat(first_response) - created_at == hours[0]
    assert datetime.fromisoformat(resolution) - created_at == hours[1]


def test_dates_are_utc_to_the_microsecond() -> None:
    due = due_dates(datetime(2026, 3, 1, 12, tzinfo=UTC), Priority.URGENT)
    assert due == ("2026-03-01T13:00:00.000000+00:00", "2026-03-01T20:00:00.000000+00:00")


def test_another_zone_names_the_same_instant() -> None:
    east = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert due_dates(east, Priority.URGENT).first_response == "2026-03-01T13:00:00.000000+00:00"
