"""A ticket's clocks through its life: what is told, when, and in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.sla.clock import ClockState
from handlers.sla.course import met
from handlers.sla.terms import Levels
from handlers.ticket import Ticket
from schemas.vocabulary import PauseReason, Priority, Reopening
from tests.unit.handlers.changing import CREATED, a_ticket
from tests.unit.handlers.sla.clock_cases import (
    FIRST_RESPONSE,
    HOUR,
    MINUTE,
    OFFICE,
    RESOLUTION,
    SECOND,
    Life,
    a_life,
    a_step,
    keeping,
    some_terms,
    ticket_with,
)

CUSTOMER, PARTNER, VISIT = PauseReason

ANSWER = some_terms(FIRST_RESPONSE, HOUR, warnings=())
SOLVE = some_terms(warnings=())
LONGER = some_terms(target=24 * HOUR, warnings=())
STATUS, BREACHED, ANNULLED = "ticket.status_changed", "sla.breached", "sla.breach_annulled"


def text(after: timedelta) -> str:
    return (CREATED + after).isoformat(timespec="microseconds")


def seen_by_priority(**levels: Levels) -> Life:
    """A ticket of normal priority; what its clocks are judged by, by priority."""
    life = a_life(*filter(None, levels["normal"]))
    life.choice = lambda ticket: levels[ticket.priority.value]
    return life


def test_a_breach_is_strictly_after_its_due_time() -> None:
    life = a_life(SOLVE)
    assert life.look(8 * HOUR) == []
    assert life.look(8 * HOUR + timedelta(microseconds=1)) == [BREACHED]


def test_a_breach_tells_all_about_its_clock() -> None:
    life = a_life(some_terms(warnings=(), hours=OFFICE), assigned_team="noc")
    life.look(200 * HOUR)
    (data,) = life.told(BREACHED)
    del data["ticket_id"], data["ticket_number"], data["sequence"]
    monday_at_nine = 20 * HOUR
    due = monday_at_nine + 24 * HOUR + HOUR
    assert data == {
        "tenant_id": "north",
        "metric": "resolution",
        "cycle": 1,
        "priority": "normal",
        "due_at": text(due),
        "detected_at": text(200 * HOUR),
        "detection_lag_ms": (200 * HOUR - due) // timedelta(milliseconds=1),
        "target_seconds": 8 * 3600,
        "elapsed_seconds": 42 * 3600,
        "overrun_seconds": 34 * 3600,
        "paused_seconds": 0,
        "reason": "timer",
        "policy_version": 3,
        "calendar_version": 3,
        "assigned_team": "noc",
        "escalation_level": 0,
    }


def test_a_warning_is_told_once_however_often_somebody_looks() -> None:
    life = a_life(some_terms(warnings=(50,)))
    told = [life.look(4 * HOUR + minutes * MINUTE) for minutes in range(60)]
    assert [each for each in told if each] == [["sla.warning"]]
    assert [each["threshold_percent"] for each in life.told("sla.warning")] == [50]


def test_after_downtime_all_that_was_due_is_told_in_the_order_of_time_over_both_clocks() -> None:
    answer = some_terms(FIRST_RESPONSE, 6 * HOUR, warnings=(50,))
    life = a_life(answer, some_terms(warnings=(50, 90)))
    life.look(1_000 * HOUR)
    told = [(data["metric"], data.get("threshold_percent")) for _, data in life.facts]
    assert told == [
        ("first_response", 50),
        ("resolution", 50),
        ("first_response", None),
        ("resolution", 90),
        ("resolution", None),
    ]
    lags = [data["detection_lag_ms"] // 3_600_000 for _, data in life.facts]
    assert lags == [997, 996, 994, 992, 992]
    assert {data["due_at"] for _, data in life.facts} == {text(6 * HOUR), text(8 * HOUR)}
    assert {data["detected_at"] for _, data in life.facts} == {text(1_000 * HOUR)}


def test_at_one_instant_the_first_response_comes_first_whatever_the_order_of_the_clocks() -> None:
    clocks = ticket_with(some_terms(FIRST_RESPONSE, warnings=()), SOLVE).clocks
    life = a_life(SOLVE, clocks=dict(reversed([*clocks.items()])))
    life.look(9 * HOUR)
    assert [data["metric"] for _, data in life.facts] == ["first_response", "resolution"]


def test_l1_and_l2_are_not_skipped_when_detection_is_late() -> None:
    ladder = (a_step(place=0), a_step(HOUR, level=2, place=1), a_step(2 * HOUR, level=3, place=2))
    life = a_life(some_terms(warnings=(), ladder=ladder))
    assert life.look(500 * HOUR) == [BREACHED, *["ticket.escalated"] * 3]
    told = life.told("ticket.escalated")
    assert [(each["from"]["level"], each["to"]["level"]) for each in told] == [
        *((0, 1), (1, 2), (2, 3))
    ]
    assert [each["occurred_at"] for each in told] == [text(hours * HOUR) for hours in (8, 9, 10)]
    assert {each["reason"] for each in told} == {"sla"}
    assert {each["actor"]["type"] for each in told} == {"system"}


def test_a_late_resolution_between_ticks_is_a_breach() -> None:
    life = a_life(SOLVE)
    assert life.status("resolved", 9 * HOUR) == [BREACHED, STATUS]
    (breach,) = life.told(BREACHED)
    assert (breach["reason"], breach["due_at"]) == ("completion", text(8 * HOUR))
    assert breach["overrun_seconds"] == 3600
    assert life.ticket.sla_breached
    assert life.look(100 * HOUR) == []


def test_a_late_first_reply_between_ticks_is_a_breach() -> None:
    life = a_life(ANSWER, SOLVE)
    assert life.reply(2 * HOUR) == [BREACHED, "ticket.message_added", STATUS]
    assert life.told(BREACHED)[0]["reason"] == "completion"
    assert life.clock(FIRST_RESPONSE).state is ClockState.FULFILLED
    assert life.clock().is_live


def test_what_is_done_exactly_when_it_is_due_is_in_time() -> None:
    life = a_life(SOLVE)
    assert life.status("resolved", 8 * HOUR) == [STATUS]
    assert not life.ticket.sla_breached


def test_the_first_public_reply_counts_and_no_note_nor_the_customers_own_word() -> None:
    life = a_life(ANSWER, SOLVE)
    life.change("add_message", MINUTE, body="A note", is_internal=True)
    life.change("add_message", 2 * MINUTE, body="Hello?", sender_type="customer")
    assert life.clock(FIRST_RESPONSE).is_live
    life.reply(3 * MINUTE)
    life.reply(4 * MINUTE)
    assert life.clock(FIRST_RESPONSE).ended_at == CREATED + 3 * MINUTE


def test_resolving_cancels_a_first_response_that_nobody_gave() -> None:
    life = a_life(ANSWER, SOLVE)
    assert life.status("resolved", MINUTE) == [STATUS]
    assert life.clock(FIRST_RESPONSE).state is ClockState.CANCELLED
    assert life.clock().state is ClockState.FULFILLED
    assert life.reply(2 * HOUR) == ["ticket.message_added"]


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_there_are_no_alerts_on_a_ticket_that_is_over(status: str) -> None:
    ladder = (a_step(place=0),)
    life = a_life(ANSWER, some_terms(ladder=ladder))
    life.status(status, 30 * MINUTE)
    life.change("rate", HOUR, rating=1)
    life.change("set_fields", HOUR, fields={"ticket_type": "speed_issue"})
    assert life.look(1_000 * HOUR) == []
    assert all(clock.next_fire_at is None for clock in life.ticket.clocks.values())


def test_a_resolved_tickets_priority_moves_no_clock() -> None:
    life = seen_by_priority(normal=Levels(None, SOLVE), urgent=Levels(ANSWER, LONGER))
    life.status("resolved", HOUR)
    assert life.priority("urgent", 2 * HOUR) == ["ticket.priority_changed"]
    assert life.clock().terms is SOLVE
    assert FIRST_RESPONSE not in life.ticket.clocks


def test_reply_and_resolution_in_one_message_fulfil_both() -> None:
    life = a_life(ANSWER, SOLVE)
    life.change("add_message", MINUTE, body="Done.", new_status="resolved")
    assert {clock.state for clock in life.ticket.clocks.values()} == {ClockState.FULFILLED}


def test_a_resolution_that_is_reported_late_but_was_in_time_annuls_the_breach() -> None:
    life = a_life(SOLVE)
    assert life.look(9 * HOUR) == [BREACHED]
    breach = life.ticket.sequence
    assert life.status("resolved", 10 * HOUR, at=7 * HOUR) == [STATUS, ANNULLED]
    (annulment,) = life.told(ANNULLED)
    assert annulment["annulled_at"] == text(10 * HOUR)
    assert annulment["elapsed_seconds"] == 7 * 3600
    assert annulment["overrun_seconds"] == 0
    assert life.clock().breach_sequence == breach
    assert not life.ticket.sla_breached
    assert life.ticket.last_change_sequence == life.ticket.sequence - 1


def test_a_reply_that_is_reported_late_but_was_in_time_annuls_the_breach_after_its_own_fact() -> (
    None
):
    life = a_life(ANSWER, SOLVE)
    life.look(2 * HOUR)
    assert life.reply(3 * HOUR, at=HOUR) == ["ticket.message_added", ANNULLED, STATUS]
    assert not life.ticket.sla_breached


def test_reported_late_and_too_late_as_well_the_breach_stands() -> None:
    life = a_life(SOLVE)
    life.look(9 * HOUR)
    assert life.status("resolved", 20 * HOUR, at=8 * HOUR + SECOND) == [STATUS]
    assert life.ticket.sla_breached


def test_what_was_done_in_time_and_reported_before_any_timer_came_was_never_a_breach() -> None:
    life = a_life(SOLVE)
    assert life.status("resolved", 9 * HOUR, at=7 * HOUR) == [STATUS]
    assert life.clock().ended_at == CREATED + 7 * HOUR


def test_a_pause_since_then_does_not_excuse_a_late_completion() -> None:
    life = a_life(SOLVE)
    life.status("waiting", 9 * HOUR, at=2 * HOUR)
    assert life.told(BREACHED), "it takes effect when it is reported"
    life.status("resolved", 12 * HOUR, at=8 * HOUR)
    assert life.clock().pauses == ()
    assert len(life.told(ANNULLED)) == 1


def test_one_breach_of_two_stands() -> None:
    life = a_life(ANSWER, SOLVE)
    life.look(9 * HOUR)
    life.reply(10 * HOUR, at=30 * MINUTE)
    assert life.ticket.sla_breached
    life.status("resolved", 11 * HOUR, at=7 * HOUR)
    assert not life.ticket.sla_breached


@pytest.mark.parametrize("looks", [(), (9 * HOUR,)], ids=["no timer came", "a timer came"])
def test_a_change_reported_late_takes_effect_now_whether_or_not_a_timer_came(
    looks: tuple[timedelta, ...],
) -> None:
    """Only what it achieves is judged by when it happened: a breach before it is not undone."""
    life = seen_by_priority(normal=Levels(None, SOLVE), low=Levels(None, LONGER))
    for after in looks:
        life.look(after)
    life.priority("low", 10 * HOUR, at=7 * HOUR)
    assert [ce_type for ce_type, _ in life.facts] == [BREACHED, "ticket.priority_changed"]
    assert life.told(BREACHED)[0]["reason"] == "timer"
    assert life.clock().terms is SOLVE


def test_a_late_reply_lets_the_other_clock_catch_up_before_it_stands_still() -> None:
    life = a_life(some_terms(FIRST_RESPONSE, 2 * HOUR), some_terms(warnings=(50,)))
    told = life.change("add_message", 5 * HOUR, at=HOUR, body="And you?", new_status="waiting")
    assert told == ["sla.warning", "ticket.message_added", STATUS]
    assert life.told("sla.warning")[0]["metric"] == "resolution"
    assert life.told("sla.warning")[0]["due_at"] == text(8 * HOUR)


def test_a_step_that_came_meanwhile_is_not_lost_in_a_change_reported_late() -> None:
    life = a_life(some_terms(warnings=(), ladder=(a_step(level=2),)))
    told = life.change("assign", 10 * HOUR, at=HOUR, assigned_team="noc")
    assert told == [BREACHED, "ticket.escalated", "ticket.assigned"]
    assert (life.ticket.escalation_level, life.ticket.assigned_team) == (2, "noc")


def test_what_meanwhile_came_about_by_itself_is_not_asked_for_any_more() -> None:
    life = a_life(some_terms(warnings=(), ladder=(a_step(raises_priority=True, level=None),)))
    assert life.priority("high", 10 * HOUR, at=HOUR) == []
    assert life.look(10 * HOUR) == [BREACHED, "ticket.priority_changed"]


def test_a_waiting_ticket_has_no_due_dates_and_gets_them_back() -> None:
    life = a_life(ANSWER, SOLVE)
    life.status("waiting", 30 * MINUTE)
    assert (life.ticket.sla_due_date, life.ticket.first_response_due_at) == (None, None)
    changes = life.facts[-1][1]["changes"]
    assert changes["sla_due_date"] == {"from": text(8 * HOUR), "to": None}
    life.status("in_progress", 2 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 9 * HOUR + 30 * MINUTE
    changes = life.facts[-1][1]["changes"]
    assert changes["first_response_due_at"] == {"from": None, "to": text(150 * MINUTE)}


def test_waiting_for_a_partner_counts_where_the_policy_says_so() -> None:
    life = a_life(some_terms(warnings=(), pauses=[PARTNER]))
    life.hand_over("partner", HOUR)
    assert life.clock().reasons == {PARTNER}
    life.status("waiting", 2 * HOUR)
    life.status("in_progress", 3 * HOUR)
    assert life.clock().reasons == {PARTNER}
    life.hand_over("tenant", 5 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 12 * HOUR


def test_reasons_that_overlap_are_not_resumed_by_one_of_them() -> None:
    life = a_life(some_terms(warnings=(), pauses=[CUSTOMER, PARTNER]))
    life.status("waiting", HOUR)
    life.hand_over("partner", 2 * HOUR)
    life.status("in_progress", 3 * HOUR)
    assert life.ticket.sla_due_date is None
    life.hand_over("tenant", 4 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 11 * HOUR


def test_a_scheduled_visit_stops_the_clocks_until_then() -> None:
    life = a_life(SOLVE)
    life.visit(5 * HOUR, HOUR)
    assert life.ticket.sla_due_date == CREATED + 12 * HOUR
    assert life.look(12 * HOUR) == []
    assert life.look(12 * HOUR + SECOND) == [BREACHED]
    assert life.told(BREACHED)[0]["paused_seconds"] == 4 * 3600


def test_a_visit_that_is_called_off_lets_the_clocks_go_on() -> None:
    life = a_life(SOLVE)
    life.visit(50 * HOUR, HOUR)
    life.visit(None, 2 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 9 * HOUR


@pytest.mark.parametrize(
    "visit",
    [
        "tomorrow",
        "2026-03-01",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "2026-03-01T12:00:00Z",
    ],
)
def test_a_visit_that_is_past_or_is_no_time_stops_nothing(visit: str) -> None:
    life = a_life(SOLVE)
    life.visit(visit, HOUR)
    assert life.ticket.sla_due_date == CREATED + 8 * HOUR


def test_a_visit_at_the_end_of_time_stops_nothing() -> None:
    """Whoever opens a ticket is not to stop its clocks for good."""
    life = a_life(SOLVE)
    for visit in ("9999-12-31T23:59:59.999999Z", text(24 * 367 * HOUR)):
        life.visit(visit, HOUR)
        assert life.ticket.sla_due_date == CREATED + 8 * HOUR
    life.visit(text(24 * 366 * HOUR), HOUR)
    assert life.ticket.sla_due_date == CREATED + (24 * 366 + 7) * HOUR


def test_a_priority_change_keeps_elapsed_time_and_pauses() -> None:
    life = seen_by_priority(normal=Levels(None, LONGER), urgent=Levels(None, SOLVE))
    life.status("waiting", HOUR)
    life.status("in_progress", 4 * HOUR)
    life.priority("urgent", 5 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 11 * HOUR
    assert life.clock().elapsed_at(CREATED + 5 * HOUR) == 2 * HOUR
    changes = life.told("ticket.priority_changed")[0]["changes"]
    assert changes["sla_due_date"] == {"from": text(27 * HOUR), "to": text(11 * HOUR)}


def test_raised_too_late_to_be_met_it_is_breached_with_its_true_due_time() -> None:
    life = seen_by_priority(normal=Levels(None, LONGER), urgent=Levels(None, SOLVE))
    life.priority("urgent", 20 * HOUR)
    assert life.look(20 * HOUR + SECOND) == [BREACHED]
    assert life.told(BREACHED)[0]["due_at"] == text(8 * HOUR)


def test_a_breached_clock_is_judged_and_not_retargeted() -> None:
    life = seen_by_priority(normal=Levels(None, SOLVE), low=Levels(None, LONGER))
    life.priority("low", 9 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 8 * HOUR
    assert life.ticket.sla_breached


def test_without_terms_a_clock_is_cancelled_and_with_terms_again_a_new_cycle_begins() -> None:
    life = seen_by_priority(normal=Levels(None, SOLVE), low=Levels(None, None))
    life.priority("low", HOUR)
    assert life.clock().state is ClockState.CANCELLED
    assert life.look(10 * HOUR) == []
    life.priority("normal", 20 * HOUR)
    assert (life.clock().cycle, life.clock().started_at) == (2, CREATED + 20 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 28 * HOUR


def test_a_clock_that_begins_while_the_ticket_waits_stands_still() -> None:
    life = seen_by_priority(normal=Levels(None, None), high=Levels(ANSWER, SOLVE))
    life.status("waiting", HOUR)
    life.priority("high", 2 * HOUR)
    assert {clock.state for clock in life.ticket.clocks.values()} == {ClockState.PAUSED}


def test_a_clock_that_the_ladder_lets_begin_while_the_ticket_waits_stands_still() -> None:
    """The resolution does not count waiting, the first response of the new team does."""
    solve = some_terms(warnings=(), pauses=(), ladder=(a_step(-HOUR, team="noc"),))
    life = a_life(solve)
    life.choice = lambda ticket: Levels(ANSWER if ticket.assigned_team else None, solve)
    life.status("waiting", HOUR)
    assert life.look(50 * HOUR) == ["ticket.escalated", BREACHED]
    clock = life.clock(FIRST_RESPONSE)
    assert (clock.state, clock.started_at) == (ClockState.PAUSED, CREATED + 7 * HOUR)


def test_a_step_does_nothing_to_a_clock_before_what_was_done_to_it_already() -> None:
    """The step was due before the change that made it due: other hours hold from that on."""
    quick = some_terms(FIRST_RESPONSE, 2 * HOUR, warnings=(), ladder=(a_step(-HOUR, team="noc"),))
    slow = some_terms(FIRST_RESPONSE, 20 * HOUR, warnings=())
    office = some_terms(target=8 * HOUR, warnings=(), hours=OFFICE)
    by_now = Levels(slow, LONGER)

    def choice(ticket: Ticket) -> Levels:
        if ticket.assigned_team == "noc":
            return Levels(quick, office)
        return Levels(quick, LONGER) if ticket.priority is Priority.HIGH else by_now

    life = a_life(slow, LONGER, choice=choice)
    life.status("waiting", 3 * HOUR)
    life.status("in_progress", 4 * HOUR)
    life.priority("high", 5 * HOUR)
    assert life.look(6 * HOUR) == ["ticket.escalated", BREACHED]
    assert life.told("ticket.escalated")[0]["occurred_at"] == text(HOUR)
    clock = life.clock()
    assert (clock.counted_at, clock.elapsed) == (CREATED + 5 * HOUR, 4 * HOUR)
    assert clock.paused == HOUR


def test_a_ladder_that_raises_the_priority_retargets_both_clocks_from_then_on() -> None:
    ladder = (a_step(-4 * HOUR, level=None, raises_priority=True),)
    normal = Levels(
        some_terms(FIRST_RESPONSE, 20 * HOUR, warnings=()),
        some_terms(target=24 * HOUR, warnings=(), ladder=ladder),
    )
    high = Levels(
        some_terms(FIRST_RESPONSE, 10 * HOUR, warnings=()),
        some_terms(target=22 * HOUR, warnings=(), ladder=ladder),
    )
    life = seen_by_priority(normal=normal, high=high)
    life.look(100 * HOUR)
    told = [(ce_type, data.get("due_at")) for ce_type, data in life.facts]
    assert told == [
        (BREACHED, text(20 * HOUR)),
        ("ticket.priority_changed", None),
        (BREACHED, text(22 * HOUR)),
    ]
    assert life.clock(FIRST_RESPONSE).terms is normal.first_response, "it was breached before"


def test_a_warning_while_the_ticket_waits_tells_when_it_is_due_at_the_earliest() -> None:
    """And the same whenever somebody looks."""
    due = []
    for look in (7 * HOUR, 90 * HOUR):
        life = seen_by_priority(
            normal=Levels(None, LONGER), high=Levels(None, some_terms(warnings=(50,)))
        )
        life.status("waiting", 5 * HOUR)
        life.priority("high", 6 * HOUR)
        assert life.look(look) == ["sla.warning"]
        due += [each["due_at"] for each in life.told("sla.warning")]
    assert due == [text(8 * HOUR)] * 2


def test_a_reopened_ticket_gets_a_new_cycle_and_is_not_overdue() -> None:
    life = a_life(SOLVE)
    life.status("resolved", 9 * HOUR)
    life.status("in_progress", 100 * HOUR)
    assert (life.clock().cycle, life.ticket.sla_due_date) == (2, CREATED + 108 * HOUR)
    assert life.look(108 * HOUR) == []
    assert life.ticket.sla_breached, "the first cycle's breach stands"
    assert life.look(109 * HOUR) == [BREACHED]
    assert life.told(BREACHED)[-1]["cycle"] == 2


def test_a_new_cycle_is_judged_by_what_is_in_force_then() -> None:
    life = a_life(SOLVE)
    life.status("resolved", HOUR)
    life.choice = keeping(LONGER)
    life.status("in_progress", 2 * HOUR)
    assert life.ticket.sla_due_date == CREATED + 26 * HOUR


def test_a_continued_clock_goes_on_where_it_ended() -> None:
    life = a_life(some_terms(warnings=(), reopening=Reopening.CONTINUE))
    life.status("resolved", 7 * HOUR)
    life.status("in_progress", 100 * HOUR)
    assert (life.clock().cycle, life.ticket.sla_due_date) == (1, CREATED + 101 * HOUR)
    assert life.look(101 * HOUR) == []
    assert life.look(102 * HOUR) == [BREACHED]


def test_the_breach_of_a_later_cycle_is_annulled_alone() -> None:
    life = a_life(SOLVE)
    life.status("resolved", 9 * HOUR)
    life.status("in_progress", 10 * HOUR)
    life.look(30 * HOUR)
    assert life.status("resolved", 31 * HOUR, at=11 * HOUR) == [STATUS, ANNULLED]
    assert life.ticket.sla_breached, "the first cycle's breach stands"


def test_a_resolution_said_to_be_before_the_reopening_ends_the_new_cycle_at_once() -> None:
    life = a_life(SOLVE)
    life.status("resolved", 2 * HOUR)
    life.status("in_progress", 5 * HOUR, at=3 * HOUR)
    assert life.status("resolved", 6 * HOUR, at=4 * HOUR) == [STATUS]
    assert life.clock().elapsed_at(CREATED + 9 * HOUR) == timedelta()


def test_a_ticket_without_clocks_lives_as_before() -> None:
    life = a_life()
    life.reply(HOUR)
    life.status("waiting", 2 * HOUR)
    life.visit(9 * HOUR, 3 * HOUR)
    life.status("resolved", 4 * HOUR)
    life.status("in_progress", 5 * HOUR)
    assert life.ticket.clocks == {}
    assert life.look(1_000 * HOUR) == []


def test_facts_of_clocks_make_no_change_stale() -> None:
    life = a_life(some_terms(ladder=(a_step(place=0),)))
    seen = life.ticket.sequence
    life.look(20 * HOUR)
    told = life.change("set_status", 21 * HOUR, status="resolved", expected_sequence=seen)
    assert told == [STATUS]
    assert life.change("rate", 22 * HOUR, rating=1, expected_sequence=seen) == []


def test_what_a_refused_change_found_due_is_told_by_the_next_timer() -> None:
    life = a_life(SOLVE)
    assert life.change("set_status", 9 * HOUR, status="open") == []
    assert life.look(9 * HOUR) == [BREACHED]


@pytest.mark.parametrize(
    ("before", "after", "metrics"),
    [
        (a_ticket(), a_ticket("resolved"), {FIRST_RESPONSE, RESOLUTION}),
        (a_ticket(), a_ticket("in_progress", first_response_at=CREATED), {FIRST_RESPONSE}),
        (a_ticket("resolved"), a_ticket("closed"), set()),
        (a_ticket("resolved"), a_ticket(), set()),
    ],
)
def test_resolving_is_the_last_word_on_both_metrics_and_a_reply_on_one(
    before: Ticket, after: Ticket, metrics: set[object]
) -> None:
    assert met(before, after) == metrics


def test_a_row_that_was_reckoned_with_other_time_zones_is_corrected_and_nothing_told() -> None:
    life = a_life(SOLVE)
    early = replace(life.clock(), next_fire_at=CREATED + HOUR)
    life.ticket.clocks = {RESOLUTION: early}
    assert life.look(2 * HOUR) == []
    assert life.clock().next_fire_at == CREATED + 8 * HOUR
