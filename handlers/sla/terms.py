"""What clocks are judged by: a target, the hours that count, and what happens on the way there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from handlers.sla.calendar import ALWAYS, BusinessHours
from handlers.sla.targets import DEFAULT_TARGETS
from schemas.sla_policy import PAUSES, WARNINGS
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric

KEPT: Final = 1_000
"""Targets without a policy whose terms are kept: the default table's, and those of older ones."""


class LadderStep(NamedTuple):
    """What happens to the ticket at a time before or after its due time, once a cycle.

    key: the same for the same step in any version of any policy. offset: of business time,
    negative before the due time. team, user: None where the ticket's own escalation path says whom.
    """

    key: str
    offset: timedelta
    level: int | None
    team: str | None
    user: str | None
    raises_priority: bool


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What one clock is judged by. The same terms of a version are one object.

    policy: the SLA policy's name, and policy_version the version of the tenant's document; None
    for the default table. calendar: its name there, and calendar_version the same version; None
    for 24x7. warnings: percent of the target, rising. ladder: this metric's, by offset.
    """

    metric: SlaMetric
    target: timedelta
    policy: str | None
    policy_version: int | None
    calendar_version: int | None
    hours: BusinessHours
    warnings: tuple[int, ...]
    pauses: frozenset[PauseReason]
    reopening: Reopening
    ladder: tuple[LadderStep, ...]
    calendar: str | None = None


class Levels(NamedTuple):
    """The terms of a ticket's clocks. None: no clock."""

    first_response: Terms | None
    resolution: Terms | None


@lru_cache(maxsize=KEPT)
def default_terms(metric: SlaMetric, target: timedelta) -> Terms:
    """What a clock without a policy is judged by: 24x7, and no ladder."""
    return Terms(
        metric=metric,
        target=target,
        policy=None,
        policy_version=None,
        calendar_version=None,
        hours=ALWAYS,
        warnings=WARNINGS,
        pauses=frozenset(PAUSES),
        reopening=Reopening.NEW_CYCLE,
        ladder=(),
    )


DEFAULT_LEVELS: Final[Mapping[Priority, Levels]] = MappingProxyType(
    {
        priority: Levels(
            default_terms(SlaMetric.FIRST_RESPONSE, targets.first_response),
            default_terms(SlaMetric.RESOLUTION, targets.resolution),
        )
        for priority, targets in DEFAULT_TARGETS.items()
    }
)
"""What holds for a ticket that no policy of its tenant has targets for."""
