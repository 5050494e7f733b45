"""The ceiling's arithmetic: when a topic's share of dead letters is too high."""

import pytest

from consumer.ceiling import PARTS, Ceiling
from handlers.batch import Handled
from handlers.outcomes import Decision, Rules
from handlers.requests import decide
from schemas.vocabulary import Outcome
from tests.records import NOON, asked, broken, customer_change, known

TOPIC = "ticket.requested"
CREATED = decide([asked()], known(), Rules())


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ceiling(clock: Clock) -> Ceiling:
    return Ceiling(0.5, 60, clock)


def batch(*, dead: int = 0, good: int = 0, repeated: int = 0) -> list[Handled]:
    """What became of so many records of one topic. repeated: dead letters that were kept before."""
    decisions: list[Decision] = CREATED * good
    letters = [broken(number) for number in range(dead)]
    again = [broken(number) for number in range(repeated)]
    return [Handled(NOON, [*decisions], [], letters, again, None)]


def topics(ceiling: Ceiling, handled: list[Handled]) -> list[str]:
    return [topic for topic, _ in ceiling.note(handled)]


def test_fewer_than_a_hundred_records_say_nothing(ceiling: Ceiling) -> None:
    assert topics(ceiling, batch(dead=99)) == []
    assert topics(ceiling, batch(dead=1)) == [TOPIC]


def test_a_share_at_the_ceiling_is_allowed(ceiling: Ceiling) -> None:
    assert topics(ceiling, batch(dead=100, good=100)) == []
    assert topics(ceiling, batch(dead=1)) == [TOPIC]


def test_duplicates_count_neither_way(ceiling: Ceiling) -> None:
    assert topics(ceiling, batch(dead=60, good=39, repeated=500)) == []
    assert topics(ceiling, batch(dead=1)) == [TOPIC]


def test_good_records_alone_are_no_reason_to_look(ceiling: Ceiling) -> None:
    ceiling.note(batch(dead=99))
    assert topics(ceiling, batch(good=1)) == []


def test_what_is_older_than_the_window_is_forgotten(ceiling: Ceiling, clock: Clock) -> None:
    ceiling.note(batch(dead=99))
    clock.seconds = 60
    assert topics(ceiling, batch(dead=99)) == []
    clock.seconds = 119
    assert topics(ceiling, batch(dead=1)) == [TOPIC]


def test_a_window_keeps_sums_not_records(ceiling: Ceiling, clock: Clock) -> None:
    for number in range(5_000):
        clock.seconds = number / 40
        ceiling.note(batch(good=1))
    assert len(ceiling._windows[TOPIC].parts) <= PARTS + 1  # noqa: SLF001  what it keeps


def test_who_resumes_a_topic_begins_a_new_window(ceiling: Ceiling) -> None:
    assert topics(ceiling, batch(dead=200)) == [TOPIC]
    ceiling.forget(TOPIC)
    assert topics(ceiling, batch(dead=99)) == []


def test_topics_are_judged_each_for_itself(ceiling: Ceiling) -> None:
    change = customer_change()
    good = Handled(NOON, [], [(change, Outcome.CHANGED)] * 900, [], [], None)
    assert topics(ceiling, [*batch(dead=100), good]) == [TOPIC]


def test_the_reason_has_the_figures_and_what_to_do(clock: Clock) -> None:
    ceiling = Ceiling(0.5, 60, clock)
    ((topic, reason),) = ceiling.note(batch(dead=412, good=88))
    assert topic == TOPIC
    assert reason == (
        "412 of 500 records in 60 s became dead letters (82 %, TICKETING_DLQ_MAX_RATIO is 0.5);"
        f" the last: {broken(0).error_class}: see `ticketing dlq list --topic ticket.requested`;"
        " after mending: `ticketing resume ticket.requested`"
    )
