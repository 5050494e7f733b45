"""The rows of a clock's history, and the clock that they make."""

from datetime import timedelta

from handlers.sla.history import Segment, SegmentKind, replay
from schemas.vocabulary import PauseReason, Reopening
from tests.unit.handlers.changing import CREATED
from tests.unit.handlers.sla.clock_cases import HOUR, RESOLUTION, Life, a_life, some_terms


def rows(life: Life, cycle: int = 1) -> list[Segment]:
    return life.segments.get((RESOLUTION, cycle), [])


def test_a_clock_to_which_nothing_happened_has_no_rows() -> None:
    life = a_life(some_terms())
    life.look(100 * HOUR)
    assert rows(life) == []
    assert life.clock().segments == 0


def test_what_happened_is_told_row_by_row_from_the_start_on() -> None:
    life = a_life(some_terms(reopening=Reopening.CONTINUE))
    life.status("waiting", HOUR)
    life.status("in_progress", 2 * HOUR)
    life.visit(9 * HOUR, 3 * HOUR)
    life.status("resolved", 4 * HOUR)
    life.status("in_progress", 5 * HOUR)
    assert [(row.number, row.kind, row.at - CREATED) for row in rows(life)] == [
        (1, SegmentKind.STARTED, timedelta()),
        (2, SegmentKind.PAUSED, HOUR),
        (3, SegmentKind.RESUMED, 2 * HOUR),
        (4, SegmentKind.PAUSED, 3 * HOUR),
        (5, SegmentKind.FULFILLED, 4 * HOUR),
        (6, SegmentKind.REOPENED, 5 * HOUR),
        (7, SegmentKind.PAUSED, 5 * HOUR),
    ]
    visit = rows(life)[3]
    assert visit.reasons == {PauseReason.SCHEDULED_VISIT}
    assert visit.until == CREATED + 9 * HOUR
    again = replay(rows(life))
    assert (again.pauses, again.due_at) == (life.clock().pauses, life.clock().due_at)


def test_a_pause_for_the_customer_and_a_visit_has_no_end_of_its_own() -> None:
    life = a_life(some_terms())
    life.visit(9 * HOUR, HOUR)
    life.status("waiting", 2 * HOUR)
    assert rows(life)[-1].until is None
    assert replay(rows(life)).due_at is None
    life.status("in_progress", 3 * HOUR)
    assert rows(life)[-1].until == CREATED + 9 * HOUR
    assert replay(rows(life)).due_at == CREATED + 16 * HOUR


def test_each_cycle_has_a_history_of_its_own() -> None:
    life = a_life(some_terms())
    life.status("resolved", HOUR)
    life.status("in_progress", 2 * HOUR)
    life.status("resolved", 3 * HOUR)
    for cycle, began in ((1, timedelta()), (2, 2 * HOUR)):
        assert [row.kind for row in rows(life, cycle)] == ["started", "fulfilled"]
        assert replay(rows(life, cycle)).started_at == CREATED + began
