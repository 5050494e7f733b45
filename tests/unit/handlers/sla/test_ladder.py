"""A step of the ladder: what it does to a ticket."""

from typing import Any

import pytest

from handlers.sla.ladder import climbed
from tests.unit.handlers.changing import NOW, a_ticket
from tests.unit.handlers.sla.clock_cases import a_step

PATH = [{"level": 1, "team": "noc", "user": "u-1"}, {"level": 2, "team": "field", "user": None}]


def with_path(path: object) -> dict[str, Any]:
    return {"routing": {"escalation_path": path}}


def test_a_step_moves_the_ticket_to_its_level_team_and_user() -> None:
    (step,) = climbed(a_ticket(), a_step(level=2, team="noc", user="u-9"), NOW)
    assert step.ce_type == "ticket.escalated"
    after = step.ticket
    assert (after.escalation_level, after.assigned_team, after.escalated_to_user_id) == (
        *(2, "noc"),
        "u-9",
    )
    assert after.escalated_at == NOW


def test_where_the_step_does_not_say_whom_the_tickets_own_path_does() -> None:
    (step,) = climbed(a_ticket(context=with_path(PATH)), a_step(level=1), NOW)
    assert (step.ticket.assigned_team, step.ticket.escalated_to_user_id) == ("noc", "u-1")


@pytest.mark.parametrize(
    "path",
    [
        None,
        "noc",
        [],
        [None, 7],
        [{"level": 1, "team": 5, "user": {}}],
        [{"level": 1, "team": "n" * 101, "user": "u" * 256}],
        [{"level": 1, "team": " \v", "user": ""}],
    ],
)
def test_a_path_that_is_none_moves_the_level_alone(path: object) -> None:
    (step,) = climbed(a_ticket(context=with_path(path), assigned_team="desk"), a_step(), NOW)
    assert (step.ticket.escalation_level, step.ticket.assigned_team) == (1, "desk")
    assert step.ticket.escalated_to_user_id is None


@pytest.mark.parametrize("level", [1, 2])
def test_who_stands_there_or_higher_is_not_moved(level: int) -> None:
    assert climbed(a_ticket(escalation_level=level), a_step(level=1, team="noc"), NOW) == []


def test_a_step_without_a_level_hands_the_ticket_to_its_team() -> None:
    (step,) = climbed(a_ticket(escalation_level=3), a_step(level=None, team="noc"), NOW)
    assert (step.ticket.escalation_level, step.ticket.assigned_team) == (3, "noc")


def test_a_priority_is_raised_by_one_step_and_nothing_is_above_urgent() -> None:
    raising = a_step(level=None, raises_priority=True)
    for before, after in (("low", "normal"), ("normal", "high"), ("high", "urgent")):
        (step,) = climbed(a_ticket(priority=before), raising, NOW)
        assert (step.ce_type, step.ticket.priority) == ("ticket.priority_changed", after)
    assert climbed(a_ticket(priority="urgent"), raising, NOW) == []


def test_a_step_that_does_both_tells_the_escalation_first() -> None:
    told = climbed(a_ticket(), a_step(raises_priority=True), NOW)
    assert [step.ce_type for step in told] == ["ticket.escalated", "ticket.priority_changed"]
    assert (told[-1].ticket.escalation_level, told[-1].ticket.priority) == (1, "high")
