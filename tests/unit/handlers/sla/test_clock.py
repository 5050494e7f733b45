"""One clock: what is due on it, when it stands still, and what becomes of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.bulk import NULL
from handlers.sla.calendar import compile_document
from handlers.sla.clock import (
    BREACH,
    NEVER,
    Clock,
    ClockState,
    annulled,
    are_alike,
    breached,
    continued,
    ended,
    fired,
    held,
    levels,
    retargeted,
    start,
)
from handlers.sla.rows import CLOCK_COLUMNS, clock_of, clock_row
from handlers.sla.terms import Terms
from schemas.vocabulary import PauseReason, SlaMetric
from tests.unit.handlers.changing import CREATED, TICKET
from tests.unit.handlers.sla.clock_cases import (
    HOUR,
    OFFICE,
    SECOND,
    a_step,
    some_terms,
)

CUSTOMER, PARTNER, VISIT = (
    frozenset({reason})
    for reason in (
        PauseReason.WAITING_FOR_CUSTOMER,
        PauseReason.WAITING_FOR_PARTNER,
        PauseReason.SCHEDULED_VISIT,
    )
)
NOTHING = frozenset[PauseReason]()
TUESDAYS = compile_document(
    {"timezone": "Europe/Berlin", "weekly": {"tue": [["09:00", "12:00"], ["13:00", "17:00"]]}}
)


def a_clock(**fields: Any) -> Clock:  # noqa: ANN401  of some_terms
    return start(some_terms(**fields), CREATED)


def after(duration: timedelta) -> datetime:
    return CREATED + duration


def test_levels_come_in_the_order_of_time_and_at_one_instant_the_breach_before_the_ladder() -> None:
    ladder = (a_step(-2 * HOUR, place=0), a_step(place=1), a_step(HOUR, place=2))
    terms = some_terms(warnings=(50, 75), ladder=ladder)
    assert [level.key for level in levels(terms)] == [
        "warning:50",
        "warning:75",
        "step:0",
        BREACH,
        "step:1",
        "step:2",
    ]


def test_a_step_further_ahead_than_the_target_is_due_at_the_start() -> None:
    terms = some_terms(warnings=(), ladder=(a_step(-9 * HOUR),))
    assert levels(terms)[0].need == timedelta()
    assert start(terms, CREATED).next_fire_at == CREATED


def test_a_new_clock_knows_when_it_is_due_and_what_comes_first() -> None:
    clock = a_clock()
    assert (clock.due_at, clock.next_fire_at) == (after(8 * HOUR), after(4 * HOUR))
    assert clock.state is ClockState.RUNNING
    assert not clock.is_breached


def test_a_level_that_is_told_is_not_due_again() -> None:
    clock = a_clock(warnings=(50,))
    (warning, breach) = levels(clock.terms)
    clock = fired(clock, warning)
    assert clock.next_fire_at == after(8 * HOUR)
    clock = breached(clock, 7)
    assert clock.next_fire_at is None
    assert (clock.is_breached, clock.breach_sequence, clock.breaches) == (True, 7, 1)
    assert clock.fired == {warning.key, breach.key}


def test_a_pause_puts_the_due_time_off_by_as_long() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(HOUR))
    assert (clock.state, clock.due_at, clock.next_fire_at) == (ClockState.PAUSED, None, None)
    clock = held(clock, NOTHING, None, after(3 * HOUR))
    assert (clock.state, clock.due_at) == (ClockState.RUNNING, after(10 * HOUR))
    assert clock.elapsed_at(after(5 * HOUR)) == 3 * HOUR
    assert clock.paused_at(after(2 * HOUR)) == HOUR


def test_a_level_reached_before_a_pause_is_due_during_it() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(5 * HOUR))
    assert (clock.due_at, clock.next_fire_at) == (None, after(4 * HOUR))


def test_overlapping_reasons_are_not_resumed_by_one_of_them() -> None:
    clock = a_clock(pauses=CUSTOMER | PARTNER)
    clock = held(clock, CUSTOMER, None, after(HOUR))
    clock = held(clock, CUSTOMER | PARTNER, None, after(2 * HOUR))
    clock = held(clock, PARTNER, None, after(3 * HOUR))
    assert (clock.state, clock.due_at) == (ClockState.PAUSED, None)
    clock = held(clock, NOTHING, None, after(4 * HOUR))
    assert clock.pauses == ((after(HOUR), after(4 * HOUR)),)
    assert clock.due_at == after(11 * HOUR)


def test_a_reason_that_the_terms_do_not_name_stops_nothing() -> None:
    clock = a_clock(pauses=CUSTOMER)
    assert held(clock, PARTNER | VISIT, after(5 * HOUR), after(HOUR)) is clock


def test_a_visit_stops_the_clock_until_then_and_the_due_time_is_known_meanwhile() -> None:
    clock = held(a_clock(), VISIT, after(5 * HOUR), after(2 * HOUR))
    assert (clock.state, clock.due_at) == (ClockState.PAUSED, after(11 * HOUR))
    assert clock.elapsed_at(after(6 * HOUR)) == 3 * HOUR
    assert held(clock, NOTHING, None, after(6 * HOUR)) is clock, "it is over by itself"


def test_a_visit_that_is_moved_back_and_forth_is_one_pause() -> None:
    clock = held(a_clock(), VISIT, after(5 * HOUR), after(HOUR))
    clock = held(clock, VISIT, after(9 * HOUR), after(2 * HOUR))
    assert clock.due_at == after(16 * HOUR)
    clock = held(clock, VISIT, after(4 * HOUR), after(3 * HOUR))
    assert clock.pauses == ((after(HOUR), after(4 * HOUR)),)
    clock = held(clock, VISIT, after(HOUR), after(3 * HOUR))
    assert clock.pauses == ((after(HOUR), after(3 * HOUR)),), "one in the past stops nothing"
    clock = held(clock, VISIT, after(7 * HOUR), after(6 * HOUR))
    assert clock.pauses == ((after(HOUR), after(3 * HOUR)), (after(6 * HOUR), after(7 * HOUR)))
    assert clock.due_at == after(11 * HOUR)


def test_the_visit_goes_on_where_the_customer_answers_before() -> None:
    clock = held(a_clock(), CUSTOMER | VISIT, after(5 * HOUR), after(HOUR))
    assert clock.due_at is None
    clock = held(clock, VISIT, after(5 * HOUR), after(2 * HOUR))
    assert clock.due_at == after(12 * HOUR)
    waiting = held(clock, CUSTOMER | VISIT, after(5 * HOUR), after(3 * HOUR))
    assert waiting.pauses == ((after(HOUR), None),)


def test_a_pause_of_no_time_is_none() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(HOUR))
    assert held(clock, NOTHING, None, after(HOUR)).pauses == ()


def test_a_visit_at_the_end_of_time_is_none() -> None:
    clock = a_clock()
    assert held(clock, VISIT, NEVER, after(HOUR)) is clock


def test_a_visit_at_the_beginning_of_time_is_past() -> None:
    clock = a_clock()
    assert held(clock, VISIT, datetime.min.replace(tzinfo=CREATED.tzinfo), CREATED) is clock


def test_a_new_target_with_the_same_hours_is_as_if_it_had_held_from_the_start() -> None:
    clock = held(a_clock(target=24 * HOUR), CUSTOMER, None, after(HOUR))
    clock = held(clock, NOTHING, None, after(3 * HOUR))
    clock = retargeted(clock, some_terms(target=4 * HOUR), after(9 * HOUR))
    assert clock.due_at == after(6 * HOUR)
    assert clock.elapsed_at(after(9 * HOUR)) == 7 * HOUR
    assert clock.next_fire_at == after(4 * HOUR)


def test_by_other_hours_what_has_passed_is_kept_as_it_was_counted() -> None:
    clock = held(a_clock(target=24 * HOUR), CUSTOMER, None, after(HOUR))
    clock = held(clock, NOTHING, None, after(3 * HOUR))
    office = some_terms(target=8 * HOUR, hours=OFFICE)
    clock = retargeted(clock, office, after(5 * HOUR))
    assert (clock.elapsed, clock.paused, clock.pauses) == (3 * HOUR, 2 * HOUR, ())
    monday_at_nine = after(20 * HOUR)
    assert clock.due_at == monday_at_nine + 6 * HOUR, "five hours and lunch"
    assert clock.elapsed_at(after(6 * HOUR)) == 3 * HOUR
    assert clock.paused_at(after(6 * HOUR)) == 2 * HOUR


def test_another_edition_of_a_calendar_does_not_rewrite_what_has_passed() -> None:
    """Even where it says that nobody works on Mondays."""
    monday_at_five = after(28 * HOUR)
    clock = a_clock(target=10 * HOUR, hours=OFFICE)
    assert clock.elapsed_at(monday_at_five) == 7 * HOUR
    clock = retargeted(clock, some_terms(target=10 * HOUR, hours=TUESDAYS), monday_at_five)
    assert clock.elapsed_at(monday_at_five) == 7 * HOUR
    assert clock.due_at == monday_at_five + 19 * HOUR, "Tuesday at noon"


def test_a_pause_goes_on_under_other_hours() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(HOUR))
    clock = retargeted(clock, some_terms(hours=OFFICE), after(5 * HOUR))
    assert clock.pauses == ((after(5 * HOUR), None),)
    assert (clock.due_at, clock.paused_at(after(6 * HOUR))) == (None, 5 * HOUR)
    clock = held(clock, NOTHING, None, after(6 * HOUR))
    assert clock.paused_at(after(50 * HOUR)) == 5 * HOUR


def test_terms_are_alike_where_policy_version_and_target_are() -> None:
    assert are_alike(some_terms(), some_terms())
    assert not are_alike(some_terms(), some_terms(target=HOUR))
    assert not are_alike(some_terms(), some_terms(policy="gold"))


def test_an_ended_clock_tells_when_it_was_due_and_nothing_more() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(HOUR))
    clock = ended(clock, ClockState.FULFILLED, after(3 * HOUR))
    assert (clock.due_at, clock.next_fire_at, clock.is_live) == (after(10 * HOUR), None, False)
    assert clock.elapsed_at(after(9 * HOUR)) == HOUR
    assert clock.paused_at(after(9 * HOUR)) == 2 * HOUR


def test_a_pause_after_the_clock_ended_is_void() -> None:
    clock = held(a_clock(), CUSTOMER, None, after(3 * HOUR))
    clock = ended(clock, ClockState.FULFILLED, after(2 * HOUR))
    assert (clock.pauses, clock.reasons, clock.due_at) == ((), NOTHING, after(8 * HOUR))


def test_a_clock_that_ended_before_it_started_has_counted_nothing() -> None:
    clock = ended(start(some_terms(), after(HOUR)), ClockState.FULFILLED, after(0 * HOUR))
    assert clock.elapsed_at(after(5 * HOUR)) == clock.paused_at(after(5 * HOUR)) == timedelta()
    again = continued(clock, after(5 * HOUR))
    assert (again.due_at, again.elapsed_at(after(6 * HOUR))) == (after(13 * HOUR), HOUR)


def test_a_continued_clock_does_not_count_the_time_between() -> None:
    clock = ended(a_clock(), ClockState.FULFILLED, after(7 * HOUR))
    clock = continued(clock, after(100 * HOUR))
    assert (clock.due_at, clock.state) == (after(101 * HOUR), ClockState.RUNNING)
    assert clock.elapsed_at(after(100 * HOUR)) == 7 * HOUR


def test_a_continued_clock_whose_breach_was_annulled_may_be_breached_then() -> None:
    clock = a_clock(warnings=())
    clock = ended(breached(clock, 4), ClockState.FULFILLED, after(7 * HOUR))
    clock = annulled(clock, after(9 * HOUR))
    assert (clock.is_breached, clock.breaches) == (False, 0)
    clock = continued(clock, after(10 * HOUR))
    assert clock.next_fire_at == after(11 * HOUR)
    clock = breached(clock, 9)
    assert (clock.is_breached, clock.breaches, clock.annulled_at) == (True, 1, None)


def test_while_it_stands_still_it_is_due_at_the_earliest_when_it_would_be_if_it_ran_on() -> None:
    clock = held(a_clock(), VISIT, after(2 * HOUR), after(HOUR))
    clock = held(clock, CUSTOMER, None, after(3 * HOUR))
    assert clock.due_at is None
    assert clock.earliest_due_at() == after(9 * HOUR)


bounds = st.integers(0, 10**10).map(lambda micros: CREATED + timedelta(microseconds=micros))
durations = st.integers(0, 10**10).map(lambda micros: timedelta(microseconds=micros))


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """Any that a row can hold, also what no ticket comes to."""
    times = sorted(draw(st.lists(bounds, max_size=9, unique=True)))
    ends: list[datetime | None] = [*times[1::2]]
    if len(times) % 2:
        ends.append(None)
    return Clock(
        terms=draw(st.sampled_from([some_terms(), some_terms(SlaMetric.FIRST_RESPONSE, HOUR)])),
        cycle=draw(st.integers(1, 9)),
        started_at=draw(bounds),
        counted_at=draw(bounds),
        due_at=draw(st.none() | bounds),
        next_fire_at=draw(st.none() | bounds),
        state=draw(st.sampled_from(ClockState)),
        elapsed=draw(durations),
        paused=draw(durations),
        pauses=tuple(zip(times[::2], ends, strict=True)),
        reasons=draw(st.frozensets(st.sampled_from(PauseReason))),
        fired=draw(st.frozensets(st.sampled_from(["warning:50", "step:10", BREACH]))),
        breach_sequence=draw(st.none() | st.integers(1, 99)),
        breaches=draw(st.integers(0, 9)),
        ended_at=draw(st.none() | bounds),
        annulled_at=draw(st.none() | bounds),
        segments=draw(st.integers(0, 99)),
    )


_TIMES = {"started_at", "counted_at", "due_at", "next_fire_at", "ended_at", "annulled_at"}
_NUMBERS = {"cycle", "elapsed_us", "paused_us", "breach_sequence", "breaches", "segments"}


def as_read(row: tuple[str, ...]) -> dict[str, Any]:
    """What asyncpg gives of these texts."""
    read: dict[str, Any] = {}
    for name, text in zip(CLOCK_COLUMNS, row, strict=True):
        if text is NULL:
            read[name] = None
        elif text.startswith("{"):
            items = [item for item in text[1:-1].split(",") if item]
            read[name] = (
                [datetime.fromisoformat(item) for item in items] if name == "pauses" else items
            )
        elif name in _TIMES:
            read[name] = datetime.fromisoformat(text)
        else:
            read[name] = int(text) if name in _NUMBERS else text
    return read


@settings(max_examples=200, deadline=None)
@given(clocks())
def test_a_clock_that_is_written_and_read_is_the_same(clock: Clock) -> None:
    row = clock_row("north", TICKET, clock)
    assert len(row) == len(CLOCK_COLUMNS)
    assert clock_of(as_read(row), clock.terms) == clock


def test_a_row_that_only_began_counts_from_its_start() -> None:
    clock = a_clock()
    row = as_read(clock_row("north", TICKET, clock)) | {"counted_at": None}
    assert clock_of(row, clock.terms) == clock


@pytest.mark.parametrize(
    "terms", [some_terms(), some_terms(hours=OFFICE)], ids=["always", "office"]
)
@given(
    st.lists(st.integers(0, 200_000), min_size=1, max_size=12).map(sorted),
    st.integers(1, 100_000),
)
def test_the_due_time_follows_from_start_target_and_pauses(
    terms: Terms, turns: list[int], target: int
) -> None:
    """However often it was retargeted, by whatever it stood still."""
    clock = start(terms, CREATED)
    for index, second in enumerate(turns):
        at = after(second * SECOND)
        match index % 3:
            case 0:
                clock = held(clock, CUSTOMER | VISIT, at + HOUR, at)
            case 1:
                clock = retargeted(clock, replace(terms, target=target * SECOND), at)
            case _:
                clock = held(clock, VISIT, at + HOUR, at)
    assert (clock.counted_at, clock.elapsed) == (CREATED, timedelta())
    assert clock.due_at == terms.hours.due(CREATED, clock.terms.target, clock.pauses)
    stops = [end or NEVER for _, end in clock.pauses]
    begins = [begin for begin, _ in clock.pauses]
    assert all(stop <= begin for stop, begin in zip(stops, begins[1:], strict=False))
