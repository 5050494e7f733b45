"""The ceiling of dead letters: which topics turn into them faster than an operator allows. Pure.

A stream that is misconfigured as a whole should wait for a person, not end up in the dead letters
record by record.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consumer import clock
from consumer.telling import outcomes_by_topic
from handlers.batch import Handled
from schemas.vocabulary import Outcome

LEAST_RECORDS: Final = 100
"""Fewer say nothing about a stream."""

PARTS: Final = 60
"""A window is kept as so many sums, however many records it sees."""


class Exceeded(NamedTuple):
    """A topic whose share of dead letters is too high. reason: a sentence with the figures."""

    topic: str
    reason: str


class Part(NamedTuple):
    """Records settled in a sixtieth of a window."""

    begun_at: float
    settled: int
    dead: int


@dataclass(slots=True)
class Window:
    """What became of a topic's records of late. error_class: the last dead letter's."""

    parts: deque[Part] = field(default_factory=deque)
    error_class: str = ""

    def add(self, now: float, seconds: float, settled: int, dead: int) -> None:
        """Count these records, and drop what is older than the window."""
        last = self.parts[-1] if self.parts else None
        if last is not None and now - last.begun_at < seconds / PARTS:
            self.parts[-1] = Part(last.begun_at, last.settled + settled, last.dead + dead)
        else:
            self.parts.append(Part(now, settled, dead))
        while self.parts[0].begun_at <= now - seconds:
            self.parts.popleft()

    @property
    def settled(self) -> int:
        return sum(part.settled for part in self.parts)

    @property
    def dead(self) -> int:
        return sum(part.dead for part in self.parts)


class Ceiling:
    """One process's windows, one per topic, by the monotonic clock.

    Duplicates count neither way: they were counted when they came first.
    """

    def __init__(
        self,
        max_ratio: float,
        window_seconds: float,
        seconds: Callable[[], float] = clock.seconds,
    ) -> None:
        self._max_ratio = max_ratio
        self._window_seconds = window_seconds
        self._seconds = seconds
        self._windows: defaultdict[str, Window] = defaultdict(Window)

    def note(self, handled: Sequence[Handled]) -> list[Exceeded]:
        """Count what was committed; the topics that are over the ceiling now."""
        now = self._seconds()
        dead: Counter[str] = Counter()
        settled: Counter[str] = Counter()
        for (topic, outcome), number in outcomes_by_topic(handled).items():
            if outcome is Outcome.DUPLICATE:
                continue
            settled[topic] += number
            if outcome is Outcome.DEAD_LETTERED:
                dead[topic] += number
        for part in handled:
            for broken in part.dead:
                self._windows[broken.record.topic].error_class = broken.error_class
        for topic, number in settled.items():
            self._windows[topic].add(now, self._window_seconds, number, dead[topic])
        return [Exceeded(topic, self._reason(topic)) for topic in dead if self._is_over(topic)]

    def forget(self, topic: str) -> None:
        """Begin anew: the topic was resumed, so somebody has looked at it."""
        self._windows.pop(topic, None)

    def _is_over(self, topic: str) -> bool:
        window = self._windows[topic]
        settled = window.settled
        return settled >= LEAST_RECORDS and window.dead > self._max_ratio * settled

    def _reason(self, topic: str) -> str:
        window = self._windows[topic]
        dead, settled = window.dead, window.settled
        return (
            f"{dead} of {settled} records in {self._window_seconds:g} s became dead letters"
            f" ({100 * dead / settled:.0f} %, TICKETING_DLQ_MAX_RATIO is {self._max_ratio:g});"
            f" the last: {window.error_class}: see `ticketing dlq list --topic {topic}`;"
            f" after mending: `ticketing resume {topic}`"
        )
