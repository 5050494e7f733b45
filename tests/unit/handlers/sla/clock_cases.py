"""Tickets with clocks, and their lives: valid and simple, unless a test says not."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import orjson

from handlers.changes import decide_change
from handlers.outcomes import Changed, Effect, Rejected, Unchanged
from handlers.sla.calendar import ALWAYS, BusinessHours, compile_document
from handlers.sla.clock import Clock, start
from handlers.sla.course import Choice, Course
from handlers.sla.firing import move_on
from handlers.sla.history import Segment
from handlers.sla.terms import LadderStep, Levels, Terms
from handlers.ticket import Ticket
from schemas.catalogue import TOPIC_OF_CE_TYPE, TOPICS
from schemas.sla_policy import PAUSES, WARNINGS
from schemas.vocabulary import ActorType, PauseReason, Reopening, SlaMetric
from tests.unit.handlers.changing import CREATED, PARTNER, PARTNERS, a_change, a_ticket

FIRST_RESPONSE, RESOLUTION = SlaMetric
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)

OFFICE: Final = compile_document(
    {
        "timezone": "Europe/Berlin",
        "weekly": {
            day: [["09:00", "12:00"], ["13:00", "17:00"]]
            for day in ("mon", "tue", "wed", "thu", "fri")
        },
    }
)
"""Weekdays from 9 to 5 with lunch. CREATED is a Sunday at 13:00 there."""

_MODELS: Final = {topic.name: topic.model for topic in TOPICS}


def some_terms(
    metric: SlaMetric = RESOLUTION,
    target: timedelta = 8 * HOUR,
    *,
    hours: BusinessHours = ALWAYS,
    warnings: tuple[int, ...] = WARNINGS,
    pauses: Iterable[PauseReason] = PAUSES,
    reopening: Reopening = Reopening.NEW_CYCLE,
    ladder: tuple[LadderStep, ...] = (),
    policy: str = "standard",
) -> Terms:
    """8 hours around the clock, without a ladder."""
    return Terms(
        metric=metric,
        target=target,
        policy=policy,
        policy_version=3,
        calendar_version=None if hours is ALWAYS else 3,
        hours=hours,
        warnings=warnings,
        pauses=frozenset(pauses),
        reopening=reopening,
        ladder=ladder,
        calendar=None if hours is ALWAYS else "office",
    )


def a_step(
    offset: timedelta = timedelta(),
    *,
    level: int | None = 1,
    team: str | None = None,
    user: str | None = None,
    raises_priority: bool = False,
    place: int = 0,
) -> LadderStep:
    """To level 1 when it is due."""
    return LadderStep(f"step:{place}", offset, level, team, user, raises_priority)


def ticket_with(*terms: Terms, **fields: object) -> Ticket:
    """A ticket whose clocks by these terms run since it was created."""
    clocks = {each.metric: start(each, CREATED) for each in terms}
    dates = {
        "sla_due_date": clocks[RESOLUTION].due_at if RESOLUTION in clocks else None,
        "first_response_due_at": (
            clocks[FIRST_RESPONSE].due_at if FIRST_RESPONSE in clocks else None
        ),
    }
    return a_ticket(**{**dates, "clocks": clocks, **fields})  # type: ignore[arg-type]


def keeping(*terms: Terms) -> Choice:
    """The same terms whatever becomes of the ticket."""
    by_metric = {each.metric: each for each in terms}
    levels = Levels(by_metric.get(FIRST_RESPONSE), by_metric.get(RESOLUTION))
    return lambda _: levels


class Life:
    """A ticket from its creation on: changes and timers come to it, one after the other."""

    def __init__(self, ticket: Ticket, choice: Choice) -> None:
        self.ticket = ticket
        self.choice = choice
        self.facts: list[tuple[str, dict[str, Any]]] = []
        self.segments: dict[tuple[SlaMetric, int], list[Segment]] = {}
        self.clocks: dict[tuple[SlaMetric, int], Clock] = {
            (clock.metric, clock.cycle): clock for clock in ticket.clocks.values()
        }

    def clock(self, metric: SlaMetric = RESOLUTION) -> Clock:
        """Its last cycle."""
        return self.ticket.clocks[metric]

    def look(self, after: timedelta) -> list[str]:
        """A timer comes by so long after the ticket's creation; what it tells."""
        now = max(CREATED + after, self.ticket.updated_at)
        before = self.ticket
        moved = move_on(before, now, self.choice)
        assert moved.ticket.last_change_sequence == before.last_change_sequence
        return self._went_on(moved.ticket, moved.effects, moved.course.clocks, moved.course)

    def change(
        self,
        kind: str,
        after: timedelta,
        *,
        at: timedelta | None = None,
        actor: ActorType = ActorType.TENANT,
        **fields: object,
    ) -> list[str]:
        """A change so long after the ticket's creation; what is told. at: when it happened."""
        sent = fields if at is None else {**fields, "occurred_at": (CREATED + at).isoformat()}
        change = a_change(kind, actor, **sent)
        decision = decide_change(
            change, self.ticket, now=CREATED + after, partners=PARTNERS, choice=self.choice
        )
        if isinstance(decision, Rejected | Unchanged):
            return []
        clocks = {(clock.metric, clock.cycle): clock for clock in decision.clocks}
        return self._went_on(decision.ticket, decision.effects, clocks, decision)

    def status(self, status: str, after: timedelta, *, at: timedelta | None = None) -> list[str]:
        return self.change("set_status", after, at=at, status=status)

    def reply(self, after: timedelta, *, at: timedelta | None = None) -> list[str]:
        return self.change("add_message", after, at=at, body="We look into it.")

    def priority(
        self, priority: str, after: timedelta, *, at: timedelta | None = None
    ) -> list[str]:
        return self.change("set_priority", after, at=at, priority=priority)

    def visit(self, visit: timedelta | str | None, after: timedelta) -> list[str]:
        """Agree on a visit so long after the ticket's creation; None: call it off."""
        text = (CREATED + visit).isoformat() if isinstance(visit, timedelta) else visit
        context = {} if text is None else {"scheduled_visit": text}
        return self.change("set_fields", after, fields={"context": context})

    def hand_over(self, party: str, after: timedelta) -> list[str]:
        to = {"target_type": party} | ({"partner_id": PARTNER} if party == "partner" else {})
        return self.change("escalate", after, to=to)

    def assign(self, team: str | None, after: timedelta) -> list[str]:
        return self.change("assign", after, assigned_team=team)

    def told(self, ce_type: str) -> list[dict[str, Any]]:
        """The data of all facts of a type so far."""
        return [data for each, data in self.facts if each == ce_type]

    def _went_on(
        self,
        ticket: Ticket,
        effects: Iterable[Effect],
        clocks: Mapping[tuple[SlaMetric, int], Clock],
        source: Course | Changed,
    ) -> list[str]:
        """Everything that is published keeps its contract, and is numbered onwards."""
        told = []
        for number, effect in enumerate(effects, self.ticket.sequence + 1):
            _MODELS[TOPIC_OF_CE_TYPE[effect.ce_type]].model_validate_json(effect.data)
            data = orjson.loads(effect.data)
            assert data["sequence"] == effect.sequence == number
            self.facts.append((effect.ce_type, data))
            told.append(effect.ce_type)
        assert ticket.sequence == self.ticket.sequence + len(told)
        self.clocks.update(clocks)
        for clock in ticket.clocks.values():
            assert self.clocks[clock.metric, clock.cycle] == clock, "what changed is not written"
        for segment in source.segments:
            rows = self.segments.setdefault((segment.metric, segment.cycle), [])
            rows.append(segment)
            assert segment.number == len(rows)
        self.ticket = ticket
        return told


def a_life(*terms: Terms, choice: Choice | None = None, **fields: object) -> Life:
    """Of a ticket with clocks by these terms, and judged by them whatever becomes of it."""
    return Life(ticket_with(*terms, **fields), choice or keeping(*terms))
