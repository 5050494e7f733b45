"""What a ticket's clocks must tell, counted second by second: written from the rules alone.

Slow, and simple enough to be believed. Times are whole seconds since the ticket's creation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric

FIRST_RESPONSE, RESOLUTION = SlaMetric
_PRIORITIES = list(Priority)


class Rung(NamedTuple):
    """A step of a ladder. offset: seconds after the target is used up, or before, if negative."""

    place: int
    offset: int
    level: int | None
    raises: bool


class Rule(NamedTuple):
    """What one metric is judged by at one priority. All of a plan count by the same hours."""

    name: str
    target: int
    warnings: tuple[int, ...]
    rungs: tuple[Rung, ...]
    pauses: frozenset[PauseReason]
    continues: Reopening


Plan = Mapping[tuple[SlaMetric, Priority], Rule | None]


class Told(NamedTuple):
    """That a level was reached at this second. what: percent, "breach", or what a rung did."""

    at: int
    what: object
    metric: SlaMetric | None = None
    cycle: int | None = None


class Act(NamedTuple):
    """What somebody does at a second. value: the status, priority, party or visit."""

    at: int
    kind: str
    value: object = None


@dataclass(slots=True)
class _Counter:
    """One cycle. history: how much had counted by each second since it began."""

    rule: Rule
    began: int
    cycle: int = 1
    state: str = "live"
    breached: bool = False
    history: list[int] = field(default_factory=lambda: [0])
    told: set[object] = field(default_factory=set)

    def levels(self) -> list[tuple[int, int, object, object]]:
        """(seconds of use, rank at one instant, key, what it is)."""
        target = self.rule.target
        return sorted(
            [
                *((target * percent // 100, 0, percent, percent) for percent in self.rule.warnings),
                (target, 1, "breach", "breach"),
                *((target + rung.offset, 2, rung.place, rung) for rung in self.rule.rungs),
            ],
            key=lambda level: level[:2],
        )

    def first(self) -> tuple[int, object, object] | None:
        """The second at which the first level that is not told was reached, its key, and it."""
        for need, _, key, what in self.levels():
            if ("key", key) in self.told:
                continue
            for second, counted in enumerate(self.history, self.began):
                if counted >= need:
                    return second, key, what
            return None
        return None


class Straight:
    """A ticket and its counters. is_open: for each second, whether it counts."""

    def __init__(self, plan: Plan, is_open: Sequence[int]) -> None:
        self.plan, self.is_open = plan, is_open
        self.now, self.status, self.priority = 0, "open", Priority.NORMAL
        self.level, self.replied, self.is_with_partner = 0, False, False
        self.visit: int | None = None
        self.told: list[Told] = []
        self.counters: dict[SlaMetric, _Counter] = {}
        for metric in SlaMetric:
            self._begin(metric)

    def run(self, acts: Sequence[Act], until: int) -> list[Told]:
        for act in acts:
            self._wait(act.at)
            self._act(act)
        self._wait(until)
        return self.told

    def _wait(self, until: int) -> None:
        """What was reached before an instant is told before what somebody does at that instant."""
        self._tell(self.now)
        while self.now < until:
            self._tell(self.now + 1)
            for counter in self.counters.values():
                if counter.state == "live":
                    runs = self.is_open[self.now] and not self._reasons() & counter.rule.pauses
                    counter.history.append(counter.history[-1] + bool(runs))
                elif counter.state == "done":
                    counter.history.append(counter.history[-1])
            self.now += 1

    def _reasons(self) -> frozenset[PauseReason]:
        found = {
            PauseReason.WAITING_FOR_CUSTOMER: self.status == "waiting",
            PauseReason.WAITING_FOR_PARTNER: self.is_with_partner,
            PauseReason.SCHEDULED_VISIT: self.visit is not None and self.visit > self.now,
        }
        return frozenset(reason for reason, holds in found.items() if holds)

    def _tell(self, before: int) -> None:
        while True:
            due = []
            for metric in SlaMetric:
                counter = self.counters.get(metric)
                if counter is None or counter.state != "live":
                    continue
                first = counter.first()
                if first is not None and first[0] < before:
                    due.append((first[0], metric, first))
            if not due:
                return
            _, metric, (second, key, what) = min(due, key=lambda each: each[0])
            self._reached(self.counters[metric], metric, second, key, what)

    def _reached(
        self, counter: _Counter, metric: SlaMetric, second: int, key: object, what: object
    ) -> None:
        counter.told.add(("key", key))
        if not isinstance(what, Rung):
            counter.breached |= what == "breach"
            self.told.append(Told(second, what, metric, counter.cycle))
            return
        if what.level is not None and what.level > self.level:
            self.level = what.level
            self.told.append(Told(second, ("level", what.level)))
        higher = _PRIORITIES[min(_PRIORITIES.index(self.priority) + 1, len(_PRIORITIES) - 1)]
        if what.raises and higher is not self.priority:
            self.priority = higher
            self.told.append(Told(second, ("priority", higher)))
            self._judge_anew()

    def _judge_anew(self) -> None:
        for metric in SlaMetric:
            rule, counter = self.plan[metric, self.priority], self.counters.get(metric)
            if counter is None or counter.state == "cancelled":
                if metric is RESOLUTION or not self.replied:
                    self._begin(metric)
            elif counter.state == "live" and not counter.breached:
                if rule is None:
                    counter.state = "cancelled"
                else:
                    counter.rule = rule

    def _begin(self, metric: SlaMetric) -> None:
        rule, before = self.plan[metric, self.priority], self.counters.get(metric)
        if rule is not None:
            cycle = 1 if before is None else before.cycle + 1
            self.counters[metric] = _Counter(rule, self.now, cycle)

    def _end(self, metric: SlaMetric, state: str) -> None:
        counter = self.counters.get(metric)
        if counter is not None and counter.state == "live":
            counter.state = state

    def _act(self, act: Act) -> None:
        match act.kind, act.value:
            case "reply", _:
                self._end(FIRST_RESPONSE, "done")
                if not self.replied and self.status == "open":
                    self.status = "in_progress"
                self.replied = True
            case "status", str(status):
                self._move(status)
            case "priority", Priority() as priority:
                if priority is not self.priority:
                    self.priority = priority
                    if self.status != "resolved":
                        self._judge_anew()
            case "party", party:
                self.is_with_partner = party == "partner"
            case _, visit:
                self.visit = visit if isinstance(visit, int) else None

    def _move(self, status: str) -> None:
        was = self.status
        if status == was or (was, status) == ("resolved", "waiting"):
            return
        self.status = status
        if status == "resolved":
            self._end(RESOLUTION, "done")
            self._end(FIRST_RESPONSE, "cancelled")
        elif was == "resolved":
            answer = self.counters.get(FIRST_RESPONSE)
            if answer is not None and answer.state == "cancelled" and not self.replied:
                self._begin(FIRST_RESPONSE)
            if RESOLUTION not in self.counters:
                return
            counter = self.counters[RESOLUTION]
            if counter.state == "done" and counter.rule.continues is Reopening.CONTINUE:
                counter.state = "live"
            else:
                self._begin(RESOLUTION)
