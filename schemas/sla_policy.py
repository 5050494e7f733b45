"""The SLA policies of a tenant: for which tickets, how soon, in which hours, and what happens."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from schemas import durations
from schemas.durations import Offset, duration_of, duration_text
from schemas.fields import Flag, Item, PriorityWord, Team, TicketTypeWord, UserId
from schemas.policy_parts import (
    EscalationLevel,
    OneOrMore,
    Part,
    TierName,
    field_names,
    listed,
)
from schemas.vocabulary import PauseReason, Priority, Reopening, SlaMetric

WARNINGS: Final = (50, 75, 90)
"""Percent of the target after which a warning is told, where a policy does not say."""

PAUSES: Final = (PauseReason.WAITING_FOR_CUSTOMER, PauseReason.SCHEDULED_VISIT)
"""What lets a clock stand still, where a policy does not say."""

OFF: Final = "off"
MOST_STEPS: Final = 20
MOST_WARNINGS: Final = 20
TARGET: Final = f"{durations.FORM}, off, or an object of these by priority"
LADDER_STEP: Final = "an object with at, and any of metric, level, team, user and raise_priority"
REASON: Final = f"one of {', '.join(PauseReason)}"
KEPT_EMPTY: Final = frozenset(("pauses", "warnings"))
PERCENT: Final = "an integer from 1 to 99; 100 is the breach"
SLA_POLICY: Final = (
    "an object with name and targets, and perhaps when, calendar, pauses, warnings, reopening and"
    " ladder"
)


def _by_priority(value: object) -> object:
    """One target for all priorities; where a priority has two names, only one may stand."""
    if not isinstance(value, Mapping):
        _target(value)
        return dict.fromkeys(Priority, value)
    named: dict[Priority, object] = {}
    for name in value:
        priority = _known(name)
        if priority is None:
            continue
        if priority in named:
            problem = f"names {priority} twice, as {named[priority]!r} and {name!r}"
            raise PydanticCustomError("conflict", "{problem}", {"problem": problem})
        named[priority] = name
    return value


def _known(name: object) -> Priority | None:
    try:
        return Priority(str(name))
    except ValueError:
        return None


def _target(value: object) -> timedelta | None:
    return None if isinstance(value, str) and value.strip() == OFF else duration_of(value)


def _rank(item: tuple[Priority, object]) -> int:
    return list(Priority).index(item[0])


def _as_written(targets: Mapping[Priority, timedelta | None]) -> str | dict[str, str]:
    """One value where all priorities have the same."""
    texts = {
        priority.value: OFF if target is None else duration_text(target)
        for priority, target in sorted(targets.items(), key=_rank)
    }
    if len(texts) == len(Priority) and len(set(texts.values())) == 1:
        return texts[Priority.NORMAL.value]
    return texts


Target = Annotated[
    Mapping[PriorityWord, Annotated[timedelta | None, BeforeValidator(_target)]],
    Field(min_length=1, description=TARGET),
    BeforeValidator(_by_priority),
    PlainSerializer(_as_written, return_type=Any),
]
"""By priority; None: no clock."""

TeamItem = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100),
    Field(description="a team's name of 1 to 100 characters, or a list of such names"),
]
NO_TARGETS: Final[Mapping[Priority, timedelta | None]] = {}

Percent = Annotated[int, Field(strict=True, ge=1, le=99, description=PERCENT)]


class SlaWhen(Part):
    """Which tickets an SLA policy is for: all conditions that are named must hold.

    team: by any name, since a request may give its ticket to a team that the policy does not have.
    """

    ticket_type: OneOrMore[TicketTypeWord] = ()
    priority: OneOrMore[PriorityWord] = ()
    customer_tier: OneOrMore[TierName] = ()
    team: OneOrMore[TeamItem] = ()


class Targets(Part):
    """How soon, by metric. An empty one leaves the metric to other policies."""

    first_response: Target = NO_TARGETS
    resolution: Target = NO_TARGETS

    def of(self, metric: SlaMetric) -> Mapping[Priority, timedelta | None]:
        """The targets of a metric by priority; None: no clock."""
        match metric:
            case SlaMetric.FIRST_RESPONSE:
                return self.first_response
            case SlaMetric.RESOLUTION:
                return self.resolution


class LadderStep(Part):
    """What happens to the ticket at a time before or after its due time."""

    metric: Annotated[SlaMetric, Field(description=f"one of {', '.join(SlaMetric)}")] = (
        SlaMetric.RESOLUTION
    )
    at: Offset
    level: EscalationLevel | None = None
    team: Team | None = None
    user: UserId | None = None
    raise_priority: Flag = False

    @property
    def document(self) -> dict[str, Any]:
        """What is kept of it: its metric also where that is the default."""
        return {
            "metric": self.metric.value,
            **self.model_dump(mode="json", exclude={"metric"}, exclude_defaults=True),
        }


class SlaPolicy(Part):
    """Of all that are for a ticket, the one with most conditions decides, metric by metric."""

    name: Item
    when: Annotated[SlaWhen, Field(description=f"an object with any of {field_names(SlaWhen)}")] = (
        SlaWhen()
    )
    calendar: Item | None = None
    targets: Annotated[Targets, Field(description=f"an object with any of {field_names(Targets)}")]
    pauses: Annotated[
        tuple[Annotated[PauseReason, Field(description=REASON)], ...],
        BeforeValidator(listed),
        Field(
            max_length=len(PauseReason), description=f"a list of any of {', '.join(PauseReason)}"
        ),
    ] = PAUSES
    warnings: Annotated[
        tuple[Percent, ...],
        BeforeValidator(listed),
        Field(max_length=MOST_WARNINGS, description=f"a list of rising percents, each {PERCENT}"),
    ] = WARNINGS
    reopening: Annotated[Reopening, Field(description=" or ".join(Reopening))] = Reopening.NEW_CYCLE
    ladder: Annotated[
        tuple[Annotated[LadderStep, Field(description=LADDER_STEP)], ...],
        Field(
            max_length=MOST_STEPS,
            description=f"a list of up to {MOST_STEPS} steps, each {LADDER_STEP}",
        ),
    ] = ()

    @property
    def document(self) -> dict[str, Any]:
        """What is kept of it, with its defaults."""
        kept = {
            **self.model_dump(mode="json", exclude={"ladder"}, exclude_none=True),
            "when": self.when.model_dump(mode="json", exclude_defaults=True),
            "targets": self.targets.model_dump(mode="json", exclude_defaults=True),
            "ladder": [step.document for step in self.ladder],
        }
        return {name: value for name, value in kept.items() if value or name in KEPT_EMPTY}
