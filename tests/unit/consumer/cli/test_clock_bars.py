"""A clock's bar, and the words beside it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.cli.clock_bars import bar, business_time, cells, percent, remaining, state_of
from consumer.standing import Standing

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = 3_600.0


def standing(elapsed: float = HOUR, target: int = 8 * 3_600, **given: Any) -> Standing:  # noqa: ANN401  any field
    """A running clock whose target is 8 h, one of them elapsed."""
    clock = Standing(
        metric="resolution",
        cycle=1,
        state="running",
        pause_reasons=[],
        paused_until=None,
        is_open=True,
        is_breached=False,
        is_annulled=False,
        is_late=False,
        target_seconds=target,
        elapsed_seconds=elapsed,
        left_seconds=max(target - elapsed, 0),
        overrun_seconds=max(elapsed - target, 0),
        used_percent=round(100 * elapsed / target, 1),
        paused_seconds=0,
        started_at=NOON,
        due_at=NOON,
        next_fire_at=None,
        ended_at=None,
        annulled_at=None,
        policy=None,
        policy_version=None,
        calendar=None,
        calendar_version=None,
        told=[],
        breach_sequence=None,
        breaches=0,
    )
    return replace(clock, **given)


@pytest.mark.parametrize(
    ("clock", "drawn"),
    [
        (standing(0), "[........]"),
        (standing(1), "[#.......]"),
        (standing(HOUR), "[#.......]"),
        (standing(4 * HOUR), "[####....]"),
        (standing(8 * HOUR - 1), "[#######.]"),
        (standing(8 * HOUR), "[########]"),
        (standing(8 * HOUR + 1), "[#######!]"),
        (standing(16 * HOUR), "[####!!!!]"),
        (standing(3 * HOUR, paused_seconds=8 * HOUR), "[##///...]"),
        (standing(3 * HOUR, paused_seconds=8_000 * HOUR), "[##///...]"),
        (standing(12 * HOUR, paused_seconds=1), "[####!!!/]"),
    ],
)
def test_a_bar_shows_each_part_that_is_not_nothing(clock: Standing, drawn: str) -> None:
    assert bar(clock, 8).plain == drawn


@given(st.lists(st.floats(0, 1e9), min_size=4, max_size=4).filter(any), st.integers(4, 100))
def test_a_bar_has_its_width_and_is_in_proportion(parts: list[float], width: int) -> None:
    counts = cells(parts, width)
    assert sum(counts) == width
    for part, count in zip(parts, counts, strict=True):
        assert (count > 0) == (part > 0)
        assert abs(count - width * part / sum(parts)) <= len(parts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "running"),
        ({"is_open": False}, "running, outside its business hours"),
        (
            {"state": "paused", "pause_reasons": ["scheduled_visit", "waiting_for_customer"]},
            "paused: scheduled visit, waiting for customer",
        ),
        ({"state": "fulfilled", "ended_at": NOON}, "fulfilled in time"),
        ({"state": "fulfilled", "ended_at": NOON, "is_breached": True}, "breached, fulfilled late"),
        (
            {"state": "fulfilled", "ended_at": NOON, "is_annulled": True},
            "fulfilled in time, its breach annulled",
        ),
        ({"state": "cancelled", "ended_at": NOON}, "cancelled"),
        ({"is_breached": True, "is_late": True}, "breached, running"),
        ({"is_late": True}, "overdue, running; its breach is not told yet"),
    ],
)
def test_a_state_is_told_in_words(given: dict[str, Any], words: str) -> None:
    assert state_of(standing(**given)) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.9, "0s"), (59.9, "59s"), (90, "1m30s"), (3_661, "1h1m"), (90_000, "25h")],
)
def test_business_time_is_told_in_hours(seconds: float, text: str) -> None:
    assert business_time(seconds) == text


def test_what_is_left_is_rounded_up() -> None:
    assert remaining(standing(0.001)) == "8h"
    assert remaining(standing(8 * HOUR - 0.5)) == "1s"
    assert remaining(standing(HOUR, state="paused")) == "7h, paused"
    assert remaining(standing(10 * HOUR)) == "2h over"


def test_what_can_not_be_reckoned_is_not_made_up() -> None:
    unknown = standing(problem="?", elapsed_seconds=None, left_seconds=None, used_percent=None)
    assert (remaining(unknown), percent(unknown)) == ("?", "?")
