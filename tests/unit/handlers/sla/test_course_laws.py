"""Any changes at any times: what clocks tell depends on neither timers nor the way of reckoning."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.sla.calendar import ALWAYS, BusinessHours
from handlers.sla.clock import Clock, start
from handlers.sla.course import Choice
from handlers.sla.history import replay
from handlers.sla.terms import LadderStep, Levels, Terms
from handlers.ticket import Ticket
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric
from tests.unit.handlers.changing import CREATED, a_ticket
from tests.unit.handlers.sla.clock_cases import OFFICE, Life, some_terms
from tests.unit.handlers.sla.straight_line import Act, Plan, Rule, Rung, Straight, Told

SPAN = 400
"""Grains of a life: of a second around the clock, of half an hour by a calendar."""

TARGETS = st.sampled_from([20, 40, 60, 80, 100, 200])
WARNINGS = st.sampled_from([(), (50,), (50, 75), (25, 50, 90)])
PAUSES = st.frozensets(st.sampled_from(PauseReason))
REOPENINGS = st.sampled_from(Reopening)
RUNGS = st.builds(
    Rung,
    place=st.integers(0, 2),
    offset=st.sampled_from([-10, -5, 0, 5, 30]),
    level=st.none() | st.integers(1, 3),
    raises=st.booleans(),
).filter(lambda rung: rung.raises or rung.level is not None)
LADDERS = st.lists(RUNGS, max_size=3, unique_by=lambda rung: rung.place).map(
    lambda rungs: tuple(sorted(rungs, key=lambda rung: rung.offset))
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """What is for a metric at a priority; for most pairs something."""
    plan: dict[tuple[SlaMetric, Priority], Rule | None] = {}
    for metric in SlaMetric:
        for priority in Priority:
            name = f"{metric}-{priority}"
            rule = Rule(name, *map(draw, (TARGETS, WARNINGS, LADDERS, PAUSES, REOPENINGS)))
            plan[metric, priority] = None if draw(st.integers(0, 7)) == 0 else rule
    return plan


ACTS: Mapping[str, st.SearchStrategy[Any]] = {
    "reply": st.none(),
    "status": st.sampled_from(["waiting", "in_progress", "waiting", "in_progress", "resolved"]),
    "priority": st.sampled_from(Priority),
    "party": st.sampled_from(["partner", "tenant"]),
    "visit": st.none() | st.integers(0, SPAN),
}


@st.composite
def deeds(draw: st.DrawFn) -> list[Act]:
    times = draw(st.lists(st.integers(0, SPAN - 1), max_size=12).map(sorted))
    found = []
    for at in times:
        kind = draw(st.sampled_from([*ACTS, "status"]))
        found.append(Act(at, kind, draw(ACTS[kind])))
    return found


times = st.lists(st.integers(0, SPAN), max_size=20)
GRAINS = {ALWAYS: timedelta(seconds=1), OFFICE: timedelta(minutes=30)}
hours_of_work = st.sampled_from([*GRAINS])


class World:
    """A plan as terms. By odd hours, the ways of counting change with the priority too."""

    def __init__(self, plan: Plan, hours: BusinessHours, *, odd: bool = False) -> None:
        self.grain = GRAINS[hours]
        other = {ALWAYS: OFFICE, OFFICE: ALWAYS}[hours]
        self._terms: dict[tuple[SlaMetric, Priority], Terms | None] = {}
        for (metric, priority), rule in plan.items():
            by = other if odd and priority is Priority.HIGH else hours
            self._terms[metric, priority] = (
                None if rule is None else self._as_terms(rule, metric, by)
            )

    def _as_terms(self, rule: Rule, metric: SlaMetric, by: BusinessHours) -> Terms:
        return some_terms(
            metric,
            rule.target * self.grain,
            hours=by,
            warnings=rule.warnings,
            pauses=rule.pauses,
            reopening=rule.continues,
            ladder=tuple(self._as_step(rung) for rung in rule.rungs),
            policy=rule.name,
        )

    def _as_step(self, rung: Rung) -> LadderStep:
        key, offset = f"step:{rung.place}", rung.offset * self.grain
        return LadderStep(key, offset, rung.level, None, None, rung.raises)

    @property
    def choice(self) -> Choice:
        return lambda ticket: Levels(*(self._terms[each, ticket.priority] for each in SlaMetric))

    def live(self, acts: Sequence[Act], looks: Sequence[int], *, late: bool = False) -> Life:
        """A life with these looks of timers, and one at its end. late: acts are reported so."""
        life = Life(self._ticket(), self.choice)
        moments = sorted([*acts, *(Act(each, "look") for each in looks)], key=lambda act: act.at)
        for act in moments:
            self._do(life, act, act.at * self.grain, late=late and act.at % 2 == 0)
        life.look(SPAN * self.grain)
        return life

    def _ticket(self) -> Ticket:
        ticket = a_ticket(sla_due_date=None, first_response_due_at=None)
        begun = [start(terms, CREATED) for terms in self.choice(ticket) if terms is not None]
        ticket.clocks = {clock.metric: clock for clock in begun}
        return ticket

    def _do(self, life: Life, act: Act, after: timedelta, *, late: bool) -> None:
        value, happened = act.value, after - 7 * self.grain if late else None
        match act.kind:
            case "look":
                life.look(after)
            case "reply":
                life.reply(after)
            case "status":
                life.status(str(value), after, at=None if value == "resolved" else happened)
            case "priority":
                life.priority(str(value), after, at=happened)
            case "party":
                life.hand_over(str(value), after)
            case _:
                life.visit(value * self.grain if isinstance(value, int) else None, after)


worlds = st.builds(World, plans(), hours_of_work, odd=st.booleans())

OF_THE_LOOK = {"detected_at", "detection_lag_ms", "elapsed_seconds", "overrun_seconds"} | {
    *("paused_seconds", "reason", "updated_at")
}
"""What tells when somebody looked, and nothing of what happened."""


def essence(life: Life) -> list[tuple[str, dict[str, Any]]]:
    """All that was told, but for when somebody looked."""
    found = []
    for ce_type, data in life.facts:
        kept = {name: value for name, value in data.items() if name not in OF_THE_LOOK}
        if "changes" in kept:
            kept["changes"] = {**kept["changes"], "escalated_at": None}
        found.append((ce_type, kept))
    return found


@settings(max_examples=300, deadline=None)
@given(data=st.data(), world=worlds, late=st.booleans())
def test_when_timers_come_makes_no_difference(
    data: st.DataObject, world: World, *, late: bool
) -> None:
    """Nor that changes which achieve nothing are reported late."""
    acts, looks = data.draw(deeds()), data.draw(times)
    none, some, always = (
        world.live(acts, each, late=late) for each in ((), looks, range(SPAN + 1))
    )
    assert essence(none) == essence(some) == essence(always)
    assert none.clocks == some.clocks == always.clocks
    assert none.segments == some.segments == always.segments


@settings(max_examples=200, deadline=None)
@given(worlds, deeds(), times)
def test_replaying_the_history_of_a_clock_gives_the_clock(
    world: World, acts: list[Act], looks: list[int]
) -> None:
    life = world.live(acts, looks)
    for key, clock in life.clocks.items():
        segments = life.segments.get(key, [])
        assert clock.segments == len(segments)
        if segments:
            assert history_of(replay(segments)) == history_of(clock)


def history_of(clock: Clock) -> tuple[object, ...]:
    """A clock but for what was told of it, and what would be next."""
    return (
        *(clock.terms, clock.cycle, clock.started_at, clock.counted_at, clock.due_at),
        *(clock.state, clock.elapsed, clock.paused, clock.pauses, clock.reasons),
        *(clock.ended_at, clock.segments),
    )


@settings(max_examples=200, deadline=None)
@given(plans(), hours_of_work, deeds(), times)
def test_due_times_follow_from_start_target_and_pauses(
    plan: Plan, hours: BusinessHours, acts: list[Act], looks: list[int]
) -> None:
    life = World(plan, hours).live(acts, looks)
    for clock in life.clocks.values():
        assert (clock.counted_at, clock.elapsed) == (clock.started_at, timedelta())
        terms = clock.terms
        assert clock.due_at == terms.hours.due(clock.started_at, terms.target, clock.pauses)


@settings(max_examples=300, deadline=None)
@given(plans(), hours_of_work, deeds(), times)
def test_what_is_told_is_what_counting_by_the_second_gives(
    plan: Plan, hours: BusinessHours, acts: list[Act], looks: list[int]
) -> None:
    world = World(plan, hours)
    told = [each for fact in world.live(acts, looks).facts for each in as_told(*fact, world.grain)]
    assert told == Straight(plan, is_open(hours)).run(acts, SPAN)


def as_told(ce_type: str, data: dict[str, Any], grain: timedelta) -> list[Told]:
    """What time brought about."""
    match ce_type:
        case "sla.warning" | "sla.breached":
            lag = timedelta(milliseconds=data["detection_lag_ms"])
            reached = datetime.fromisoformat(data["detected_at"]) - lag
            what = data.get("threshold_percent", "breach")
            if what == "breach":
                assert data["due_at"] == reached.isoformat(timespec="microseconds")
            return [Told((reached - CREATED) // grain, what, data["metric"], data["cycle"])]
        case "ticket.escalated" if data["reason"] == "sla":
            what = ("level", data["to"]["level"])
        case "ticket.priority_changed" if data["actor"]["type"] == "system":
            what = ("priority", data["changes"]["priority"]["to"])
        case _:
            return []
    return [Told((datetime.fromisoformat(data["occurred_at"]) - CREATED) // grain, what)]


@cache
def is_open(hours: BusinessHours) -> list[int]:
    """Asked half an hour at a time, which the calendar's own tests prove."""
    grain = GRAINS[hours]
    moments = [CREATED + index * grain for index in range(SPAN + 1)]
    return [hours.elapsed(moment, moment + grain) // grain for moment in moments]
