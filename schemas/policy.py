"""A tenant's policy: its teams, its settings, and the rules that route new tickets.

One document a tenant, kept in versions. Unlike messages it is strict: nothing unknown is passed
over, since its writer is there to mend it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.calendar import Calendar
from schemas.fields import Item, PriorityWord, Team, TenantId, TicketTypeWord, UserId
from schemas.matching import glob_problem, words
from schemas.policy_parts import EscalationLevel, Name, OneOrMore, Part, TierName, field_names
from schemas.sla_policy import SLA_POLICY, SlaPolicy

REOPEN_DAYS: Final = 7
"""How long after its resolution a ticket may be reopened, where the tenant has not said."""

MOST_DAYS: Final = 3_650
GLOB: Final = "a shell glob of 1 to 255 characters with *, ?, [a-z] or [!a-z], or a list of them"
STEP: Final = "an object with level, and perhaps team and user"
RULE: Final = "an object with name, when and then"


class Strategy(StrEnum):
    """Who of the team gets the ticket: nobody yet, or a member by a hash of the ticket's id."""

    NONE = "none"
    SPREAD = "spread"


def _is_glob(text: str) -> str:
    problem = glob_problem(text)
    if problem is not None:
        raise PydanticCustomError("glob", "{problem}", {"problem": problem})
    return text


def _has_words(text: str) -> str:
    if not words(text):
        raise PydanticCustomError("keyword", "has no letter and no digit")
    return text


def _whole(days: float) -> float:
    """7, not 7.0: people see it again."""
    return int(days) if days == int(days) else days


def _off(value: object) -> object:
    return None if value == "off" else value


Pattern = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(_is_glob),
    Field(description=GLOB),
]
Keyword = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(_has_words),
    Field(description="one or several words of up to 100 characters, or a list of such texts"),
]
Days = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=MOST_DAYS,
        allow_inf_nan=False,
        description=f"a number of days from 0 to {MOST_DAYS:,}",
    ),
    PlainSerializer(_whole, return_type=Any),
]
DaysOrOff = Annotated[
    Annotated[
        float,
        Field(strict=True, gt=0, le=MOST_DAYS, allow_inf_nan=False),
        PlainSerializer(_whole, return_type=Any),
    ]
    | None,
    BeforeValidator(_off),
    Field(description=f"a number of days above 0 and up to {MOST_DAYS:,}, or off"),
]


class When(Part):
    """The conditions of a rule. All that are named must hold; of a list, one value is enough."""

    ticket_type: OneOrMore[TicketTypeWord] = ()
    priority: OneOrMore[PriorityWord] = ()
    customer_tier: OneOrMore[TierName] = ()
    address: OneOrMore[Pattern] = ()
    serial: OneOrMore[Pattern] = ()
    keywords: OneOrMore[Keyword] = ()


class EscalationStep(Part):
    """Whom the ticket goes to at a level."""

    level: EscalationLevel
    team: Team | None = None
    user: UserId | None = None


class Then(Part):
    """What a ticket gets."""

    team: Team | None = None
    assignee: Annotated[Strategy, Field(description="none or spread")] = Strategy.NONE
    priority: PriorityWord | None = None
    escalation_path: Annotated[
        tuple[Annotated[EscalationStep, Field(description=STEP)], ...],
        Field(
            min_length=1,
            max_length=20,
            description=f"a list of up to 20 steps, each {STEP}",
        ),
    ] = ()


class Rule(Part):
    """One rule; the first that matches a request decides."""

    name: Item
    when: Annotated[When, Field(description=f"an object with any of {field_names(When)}")]
    then: Annotated[Then, Field(description=f"an object with any of {field_names(Then)}")]


class Settings(Part):
    """What else a tenant may decide. auto_close_days: None where resolved tickets stay so."""

    reopen_days: Days = REOPEN_DAYS
    auto_close_days: DaysOrOff = None


class Policy(Part):
    """The whole document."""

    tenant_id: TenantId | None = None
    settings: Annotated[
        Settings, Field(description="an object with reopen_days and auto_close_days")
    ] = Settings()
    teams: Annotated[
        Mapping[
            Name,
            Annotated[tuple[UserId, ...], Field(max_length=1_000)],
        ],
        Field(
            max_length=1_000,
            description="an object of teams: a name of 1 to 100 characters for each, and the list"
            " of its members' user ids",
        ),
    ] = {}
    routing: Annotated[
        tuple[Annotated[Rule, Field(description=RULE)], ...],
        Field(max_length=1_000, description=f"a list of rules, each {RULE}"),
    ] = ()
    calendars: Annotated[
        Mapping[Name, Calendar],
        Field(
            max_length=100,
            description="an object of calendars: a name of 1 to 100 characters for each, and an"
            f" object with {field_names(Calendar)}",
        ),
    ] = {}
    sla: Annotated[
        tuple[Annotated[SlaPolicy, Field(description=SLA_POLICY)], ...],
        Field(max_length=1_000, description=f"a list of SLA policies, each {SLA_POLICY}"),
    ] = ()

    @property
    def document(self) -> dict[str, Any]:
        """What is kept of it, defaults included: what a version means must not change with them.

        Calendars and SLA policies only where there are any: versions older than these have none.
        """
        kept = {
            "settings": self.settings.model_dump(mode="json"),
            "teams": {name: list(members) for name, members in self.teams.items()},
            "routing": [
                rule.model_dump(mode="json", exclude_defaults=True) for rule in self.routing
            ],
        }
        if self.calendars:
            kept["calendars"] = {
                name: calendar.model_dump(mode="json", exclude_defaults=True)
                for name, calendar in self.calendars.items()
            }
        if self.sla:
            kept["sla"] = [policy.document for policy in self.sla]
        return kept
