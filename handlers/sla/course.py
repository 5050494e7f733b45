"""What time and changes do to a ticket's clocks, and through them to the ticket. Pure.

Whoever holds the ticket first lets its clocks catch up, and then changes it: what is told, and in
which order, does not depend on how late a timer comes.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from handlers.change_facts import Step, difference
from handlers.identity import fact_id
from handlers.life import CLOSED, RESOLVED
from handlers.sla.clock import (
    BREACH,
    Clock,
    ClockState,
    Due,
    annulled,
    are_alike,
    breached,
    continued,
    ended,
    fired,
    held,
    retargeted,
    settled,
    start,
)
from handlers.sla.history import Segment, SegmentKind, ending, happened
from handlers.sla.ladder import climbed
from handlers.sla.notices import ANNULLED, BREACHED, COMPLETION, WARNING, annulment, notice
from handlers.sla.terms import Levels, Terms
from handlers.sla.waiting import reasons_to_wait
from handlers.ticket import Ticket
from schemas.vocabulary import Reopening, SlaMetric

FIRST_RESPONSE, RESOLUTION = SlaMetric
DONE: Final = frozenset({RESOLVED, CLOSED})

Choice = Callable[[Ticket], Levels]
"""What a ticket's clocks would be judged by, as its tenant's policy in force has it."""

DATES: Final[Mapping[SlaMetric, str]] = {
    FIRST_RESPONSE: "first_response_due_at",
    RESOLUTION: "sla_due_date",
}
"""Where a ticket shows a clock's due time."""


@dataclass(slots=True)
class Course:
    """A ticket and its clocks on their way through a transaction.

    ticket: as it is by now, its clocks included; the one given is not altered. steps: the effects
    so far. clocks and segments: what is to be written of them, the clocks by metric and cycle.
    """

    ticket: Ticket
    now: datetime
    choice: Choice
    steps: list[Step] = field(default_factory=list)
    clocks: dict[tuple[SlaMetric, int], Clock] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    _told: dict[SlaMetric, list[int]] = field(default_factory=dict)
    _latest: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.ticket = self.ticket.copy()
        self._latest = self.ticket.updated_at

    def catch_up(self, until: datetime, but_for: Container[SlaMetric] = ()) -> None:
        """Let everything happen that was due before this instant, in the order of time.

        but_for: metrics whose clocks are left as they are.
        """
        while (found := self._first_due(until, but_for)) is not None:
            self._fire(*found, until)
        for metric, clock in self.ticket.clocks.items():
            if metric not in but_for and _is_due(clock, until):
                self._keep(settled(clock))  # reckoned with other time zone data than ours

    def take(self, steps: Iterable[Step]) -> None:
        """Let these effects of a change happen, one after the other, and what follows from them."""
        for step in steps:
            self._take(step, self.now)

    def _first_due(
        self, until: datetime, but_for: Container[SlaMetric]
    ) -> tuple[Clock, Due] | None:
        found: tuple[Clock, Due] | None = None
        for metric in SlaMetric:
            clock = self.ticket.clocks.get(metric)
            if clock is not None and metric not in but_for and _is_due(clock, until):
                due = clock.next_due()
                if due is not None and due.at < until and (found is None or due.at < found[1].at):
                    found = clock, due
        return found

    def _fire(self, clock: Clock, due: Due, until: datetime) -> None:
        """What it does to the ticket is not done before what was done to the ticket already."""
        level = due.level
        self._latest = max(self._latest, due.at)
        if level.step is not None:
            self._keep(fired(clock, level))
            for step in climbed(self.ticket, level.step, self.now):
                self._take(step._replace(since=due.at), self._latest)
            return
        data = notice(clock, level, self.ticket, at=due.at, until=until, now=self.now)
        self._told.setdefault(clock.metric, []).append(len(self.steps))
        if level.key == BREACH:
            self._keep(breached(clock, self.ticket.sequence + len(self.steps) + 1))
            self._tell(BREACHED, data, since=due.at)
        else:
            self._keep(fired(clock, level))
            self._tell(WARNING, data, since=due.at)

    def _tell(self, ce_type: str, data: Mapping[str, Any], since: datetime | None = None) -> None:
        self.ticket = self.ticket.copy()
        self.ticket.sla_breached = any(clock.breaches for clock in self.ticket.clocks.values())
        self.steps.append(Step(ce_type, self.ticket, {}, since=since, data=data))

    def _take(self, step: Step, at: datetime) -> None:
        """One effect on the ticket. at: from when on it counts for the clocks that go on."""
        before, after, place = self.ticket, step.ticket.copy(), len(self.steps)
        after.clocks, after.sla_breached = before.clocks, before.sla_breached
        for name in DATES.values():
            setattr(after, name, getattr(before, name))
        self.ticket = after
        self.steps.append(step)
        self._complete(before)
        if after.status not in DONE:
            if before.status in DONE:
                self._reopen(at)
            is_judged_anew = _selectors(before) != _selectors(after)
            if is_judged_anew:
                self._select(at)
            if is_judged_anew or step.since is None:  # else the reasons to stand still are the same
                self._hold(at)
        self._date(place, before)

    def _keep(self, clock: Clock) -> None:
        self.ticket.clocks = {**self.ticket.clocks, clock.metric: clock}
        self.clocks[clock.metric, clock.cycle] = clock

    def _note(self, before: Clock, after: Clock, kind: SegmentKind, at: datetime) -> None:
        clock, rows = happened(before, after, kind, at)
        self.segments += rows
        self._keep(clock)

    def _complete(self, before: Ticket) -> None:
        """End the clocks whose target the ticket has met, or will not meet any more."""
        after = self.ticket
        if after.first_response_at is not None and before.first_response_at is None:
            self._end(FIRST_RESPONSE, ClockState.FULFILLED, after.first_response_at)
        if after.status in DONE and before.status not in DONE:
            done_at = after.resolved_at or self.now
            self._end(RESOLUTION, ClockState.FULFILLED, done_at)
            self._end(FIRST_RESPONSE, ClockState.CANCELLED, done_at)

    def _end(self, metric: SlaMetric, state: ClockState, at: datetime) -> None:
        """Judged by when the target was met, not by when that was reported."""
        clock = self.ticket.clocks.get(metric)
        if clock is None or not clock.is_live:
            return
        for place in self._told.get(metric, ()):
            step = self.steps[place]
            self.steps[place] = step._replace(
                since=None, data={**(step.data or {}), "reason": COMPLETION}
            )
        after = ended(clock, state, at)
        if clock.is_breached and after.due_at is not None and at <= after.due_at:
            self._note(clock, annulled(after, self.now), ending(state), at)
            breach = fact_id(self.ticket.id, clock.breach_sequence or 0)
            data = annulment(after, self.ticket, ce_id=breach, at=at, now=self.now)
            self._tell(ANNULLED, data)
        else:
            self._note(clock, after, ending(state), at)

    def _reopen(self, at: datetime) -> None:
        """Who never had an answer waits for one again."""
        unanswered = self.ticket.clocks.get(FIRST_RESPONSE)
        if unanswered is not None and self._is_wanting(FIRST_RESPONSE, unanswered):
            self._begin(self.choice(self.ticket).first_response, unanswered, at)
        clock = self.ticket.clocks.get(RESOLUTION)
        if clock is None or clock.is_live:
            return
        if clock.terms.reopening is Reopening.CONTINUE and clock.state is ClockState.FULFILLED:
            self._note(clock, continued(clock, at), SegmentKind.REOPENED, at)
        else:
            self._begin(self.choice(self.ticket).resolution, clock, at)

    def _begin(self, terms: Terms | None, before: Clock | None, at: datetime) -> None:
        """The next cycle of a metric, if it has terms."""
        if terms is not None:
            cycle, breaches = (1, 0) if before is None else (before.cycle + 1, before.breaches)
            self._keep(start(terms, at, cycle=cycle, breaches=breaches))

    def _select(self, at: datetime) -> None:
        """Judge the clocks by what is in force for the ticket as it is now."""
        for metric, terms in zip(SlaMetric, self.choice(self.ticket), strict=True):
            clock = self.ticket.clocks.get(metric)
            if clock is not None and clock.is_live:
                self._retarget(clock, terms, at)
            elif self._is_wanting(metric, clock):
                self._begin(terms, clock, at)

    def _retarget(self, clock: Clock, terms: Terms | None, at: datetime) -> None:
        """One that is breached has been judged, and goes on by the same terms."""
        if clock.is_breached:
            return
        if terms is None:
            after = ended(clock, ClockState.CANCELLED, at)
            self._note(clock, after, SegmentKind.CANCELLED, at)
        elif not are_alike(clock.terms, terms):
            self._note(clock, retargeted(clock, terms, at), SegmentKind.RETARGETED, at)

    def _is_wanting(self, metric: SlaMetric, clock: Clock | None) -> bool:
        """Whether the ticket has yet to do what no clock measures."""
        return not self._is_done(metric) and (clock is None or clock.state is ClockState.CANCELLED)

    def _is_done(self, metric: SlaMetric) -> bool:
        answered = metric is FIRST_RESPONSE and self.ticket.first_response_at is not None
        return answered or self.ticket.status in DONE

    def _hold(self, at: datetime) -> None:
        live = [clock for clock in self.ticket.clocks.values() if clock.is_live]
        if not live:
            return
        ticket = self.ticket
        reasons, visit = reasons_to_wait(ticket.status, ticket.target_type, ticket.context)
        for clock in live:
            after = held(clock, reasons, visit, at)
            if after is not clock:
                kind = SegmentKind.PAUSED if after.reasons else SegmentKind.RESUMED
                self._note(clock, after, kind, at)

    def _date(self, place: int, before: Ticket) -> None:
        """Let the effect at this place tell of the due dates that it moved."""
        after, has_moved = self.ticket, False
        for metric, name in DATES.items():
            clock = after.clocks.get(metric)
            if clock is not None:
                due_at = clock.due_at if clock.is_live or self._is_done(metric) else None
                if due_at != getattr(before, name):
                    setattr(after, name, due_at)
                    has_moved = True
        step = self.steps[place]
        changes = difference(before, after) if has_moved else step.changes
        self.steps[place] = step._replace(ticket=after, changes=changes)


def met(before: Ticket, after: Ticket) -> frozenset[SlaMetric]:
    """The metrics of which a ticket has by now done all that it will."""
    if after.status in DONE and before.status not in DONE:
        return frozenset(SlaMetric)
    if after.first_response_at is not None and before.first_response_at is None:
        return frozenset({FIRST_RESPONSE})
    return frozenset()


def _is_due(clock: Clock, until: datetime) -> bool:
    """Whether there is something to tell. What a timer put off is told by whom comes first."""
    if clock.next_fire_at is None:
        return False
    is_late = clock.due_at is not None and clock.due_at < until and BREACH not in clock.fired
    return is_late or clock.next_fire_at < until


def _selectors(ticket: Ticket) -> tuple[object, ...]:
    """By what an SLA policy selects tickets; their customer never changes."""
    return ticket.priority, ticket.ticket_type, ticket.assigned_team
