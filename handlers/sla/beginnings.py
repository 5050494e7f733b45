"""The clocks that tickets begin with: in one transaction those that are judged alike are alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from db.bulk import Row
from handlers.facts import DueDates, utc
from handlers.sla.clock import Clock, held, start
from handlers.sla.history import Segment, SegmentKind, happened
from handlers.sla.rows import beginning
from handlers.sla.terms import Levels
from handlers.sla.waiting import SCHEDULED_VISIT, reasons_to_wait
from schemas.vocabulary import ActorType, SlaMetric, TicketStatus


class Beginning(NamedTuple):
    """What all tickets with the same levels begin with: rows after the ticket's key, and dates."""

    rows: tuple[Row, ...]
    due: DueDates


class StandingStill(NamedTuple):
    """The clocks of a ticket that wait for something from the start."""

    clocks: list[Clock]
    segments: list[Segment]
    due: DueDates


class Beginnings:
    """Of one transaction: everything in it happens at the same instant."""

    __slots__ = ("_known", "_now")

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._known: dict[Levels, Beginning] = {}

    def of(self, levels: Levels) -> Beginning:
        """For tickets whose clocks run at once."""
        found = self._known.get(levels)
        if found is None:
            found = self._known[levels] = self._begin(levels)
        return found

    def _begin(self, levels: Levels) -> Beginning:
        begun = [None if terms is None else beginning(terms, self._now) for terms in levels]
        rows = tuple(each[0] for each in begun if each is not None)
        return Beginning(rows, _dates(*(None if each is None else each[1] for each in begun)))

    def held(
        self, levels: Levels, target: ActorType, context: Mapping[str, Any]
    ) -> StandingStill | None:
        """For a ticket that goes to a partner, or has its visit agreed on; None where they run."""
        reasons, visit = reasons_to_wait(TicketStatus.OPEN, target, context)
        running = [None if terms is None else start(terms, self._now) for terms in levels]
        clocks, segments = [], []
        for clock in filter(None, running):
            after = held(clock, reasons, visit, self._now)
            told: list[Segment] = []
            if after is not clock:
                after, told = happened(clock, after, SegmentKind.PAUSED, self._now)
            clocks.append(after)
            segments += told
        if not segments:
            return None
        dates = {clock.metric: clock.due_at for clock in clocks}
        return StandingStill(clocks, segments, _dates(*map(dates.get, SlaMetric)))


def may_stand_still(target: ActorType, context: Mapping[str, Any] | None) -> bool:
    """Whether there may be something that a ticket waits for from the start."""
    return target is ActorType.PARTNER or (context is not None and SCHEDULED_VISIT in context)


def _dates(first_response: datetime | None, resolution: datetime | None) -> DueDates:
    return DueDates(
        None if first_response is None else utc(first_response),
        None if resolution is None else utc(resolution),
    )
