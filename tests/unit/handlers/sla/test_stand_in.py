"""A clock whose own version can't be understood goes on by another, with the time it promised."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from handlers.routing import CompiledPolicy, compile_policy
from handlers.sla.clock import Clock, ClockState, ended, held, start
from handlers.sla.stand_in import stand_in
from handlers.sla.terms import Terms
from schemas.vocabulary import PauseReason
from tests.unit.handlers.changing import CREATED
from tests.unit.handlers.sla.clock_cases import HOUR, MINUTE, OFFICE, RESOLUTION, SECOND, some_terms

WAITING = frozenset({PauseReason.WAITING_FOR_CUSTOMER})
WEEK = ("mon", "tue", "wed", "thu", "fri")
OFFICE_DAYS = {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in WEEK}
IN_OFFICE_HOURS = some_terms(target=8 * HOUR, hours=OFFICE)
MONDAY = datetime.fromisoformat("2026-03-02T09:00:00+01:00")


def a_policy(days: dict[str, list[list[str]]] | None = None, name: str = "standard") -> Any:  # noqa: ANN401  JSON
    """A document whose SLA policy has another target. days: of its calendar."""
    calendar = {"timezone": "Europe/Berlin", "weekly": OFFICE_DAYS if days is None else days}
    sla = {"name": name, "calendar": "office", "targets": {"resolution": "2h"}, "warnings": [10]}
    return {"calendars": {"office": calendar}, "sla": [sla]}


def compiled(document: Any) -> CompiledPolicy:  # noqa: ANN401  JSON
    return compile_policy(document, 2)


def row_of(clock: Clock) -> dict[str, Any]:
    """As it is read."""
    microsecond = timedelta(microseconds=1)
    names = ("cycle", "started_at", "counted_at", "due_at", "next_fire_at", "ended_at")
    more = ("breach_sequence", "breaches", "annulled_at", "segments")
    return {
        **{name: getattr(clock, name) for name in (*names, *more)},
        "metric": clock.metric.value,
        "state": clock.state.value,
        "target_seconds": clock.terms.target // SECOND,
        "policy": clock.terms.policy,
        "elapsed_us": clock.elapsed // microsecond,
        "paused_us": clock.paused // microsecond,
        "pauses": [bound for pause in clock.pauses for bound in pause if bound is not None],
        "pause_reasons": sorted(clock.reasons),
        "fired": sorted(clock.fired),
    }


def running(terms: Terms = IN_OFFICE_HOURS, at: datetime = MONDAY) -> Clock:
    return start(terms, at)


def test_its_namesake_judges_it_with_its_own_target() -> None:
    clock = running()
    found = stand_in(row_of(clock), compiled(a_policy()))
    assert (found.terms.policy, found.terms.policy_version) == ("standard", 2)
    assert (found.terms.target, found.due_at) == (8 * HOUR, clock.due_at)
    assert found.terms.warnings == (10,)
    assert found.elapsed_at(MONDAY + 4 * HOUR) == 3 * HOUR


@pytest.mark.parametrize("policy", [None, a_policy(name="another")])
def test_without_a_namesake_the_defaults_judge_by_the_time_that_was_promised(
    policy: object,
) -> None:
    clock = running()
    assert clock.due_at is not None
    found = stand_in(row_of(clock), None if policy is None else compiled(policy))
    assert (found.terms.policy, found.terms.policy_version) == (None, None)
    assert (found.terms.target, found.due_at) == (clock.due_at - MONDAY, clock.due_at)


@pytest.mark.parametrize("days", [{"mon": [["09:00", "10:00"]]}, {}])
def test_by_other_hours_it_is_never_due_earlier(days: dict[str, list[list[str]]]) -> None:
    clock = running()
    assert clock.due_at is not None
    found = stand_in(row_of(clock), compiled(a_policy(days)))
    assert found.due_at is None or found.due_at >= clock.due_at
    assert found.terms.target > timedelta()


def test_what_it_was_due_before_is_still_due_then() -> None:
    """Timers left it alone meanwhile, and put it off."""
    clock = running()
    row = {**row_of(clock), "next_fire_at": CREATED + 1_000 * HOUR}
    assert stand_in(row, compiled(a_policy())).next_fire_at == MONDAY + 48 * MINUTE


def test_what_counted_before_a_pause_is_counted_by_the_namesakes_hours() -> None:
    paused = held(running(), WAITING, None, MONDAY + 24 * HOUR)
    found = stand_in(row_of(paused), compiled(a_policy()))
    assert (found.due_at, found.reasons) == (None, WAITING)
    resumed = held(found, frozenset(), None, MONDAY + 48 * HOUR)
    assert resumed.due_at == held(paused, frozenset(), None, MONDAY + 48 * HOUR).due_at


def test_where_nobody_can_say_what_counted_before_a_pause_nothing_did() -> None:
    paused = held(running(), WAITING, None, MONDAY + 24 * HOUR)
    found = stand_in(row_of(paused), None)
    resumed = held(found, frozenset(), None, MONDAY + 48 * HOUR)
    assert resumed.due_at == MONDAY + 56 * HOUR
    assert resumed.paused_at(MONDAY + 50 * HOUR) == 24 * HOUR


def test_one_that_has_ended_stays_as_it_is() -> None:
    over = ended(running(), ClockState.FULFILLED, MONDAY + HOUR)
    found = stand_in(row_of(over), compiled(a_policy()))
    assert (found.state, found.due_at, found.next_fire_at) == (over.state, over.due_at, None)
    assert found.metric is RESOLUTION
