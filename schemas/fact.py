"""What all facts share: strict models of what we publish, for tests, subscribers and documents.

The hot path builds dictionaries and never runs these; tests hold every payload against them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

from schemas.vocabulary import (
    SYSTEM_ACTOR,
    ActorType,
    ChangeKind,
    Kind,
    Priority,
    RejectionCode,
    SlaMetric,
    TicketStatus,
    TicketType,
)


class Fact(BaseModel):
    """An outbound object: exactly these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _OneOf:
    """Annotation: one of these words in their canonical spelling, and no other."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def __get_pydantic_core_schema__(
        self,
        _: Any,  # noqa: ANN401  pydantic's protocol
        __: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.literal_schema(list(self._words))


def _form(pattern: str) -> StringConstraints:
    return StringConstraints(strict=True, pattern=pattern)


Text = Annotated[str, Field(strict=True, description="text")]
Texts = Annotated[list[Text], Field(description="a list of texts")]
Integer = Annotated[int, Field(strict=True, ge=0, description="an integer of 0 or more")]
Level = Annotated[int, Field(strict=True, description="an integer")]
Seconds = Annotated[float, Field(strict=True, ge=0, description="seconds, 0 or more")]
Sequence = Annotated[
    int,
    Field(strict=True, ge=1, description="an integer: the ticket's facts counted from 1"),
]
Flag = Annotated[bool, Field(strict=True, description="true or false")]
Id = Annotated[
    str,
    _form("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    Field(description="a UUID in lower case"),
]
Number = Annotated[
    str, _form("^TCK-[0-9A-F]{12}$"), Field(description="TCK- and 12 digits of 0-9 A-F")
]
Utc = Annotated[
    str,
    _form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?\+00:00$"),
    Field(description="an RFC 3339 time in UTC, with +00:00"),
]
PriorityWord = Annotated[
    Priority, _OneOf(*Priority), Field(description=f"one of {', '.join(Priority)}")
]
StatusWord = Annotated[
    TicketStatus, _OneOf(*TicketStatus), Field(description=f"one of {', '.join(TicketStatus)}")
]
TypeWord = Annotated[
    TicketType, _OneOf(*TicketType), Field(description=f"one of {', '.join(TicketType)}")
]
PartyWord = Annotated[
    ActorType, _OneOf(*ActorType), Field(description=f"one of {', '.join(ActorType)}")
]
SenderWord = Annotated[
    str, _OneOf(*ActorType, SYSTEM_ACTOR), Field(description=f"{', '.join(ActorType)} or system")
]
KindWord = Annotated[Kind, _OneOf(*Kind), Field(description=f"one of {', '.join(Kind)}")]
ChangeWord = Annotated[
    ChangeKind, _OneOf(*ChangeKind), Field(description=f"one of {', '.join(ChangeKind)}")
]
CodeWord = Annotated[
    RejectionCode, _OneOf(*RejectionCode), Field(description=f"one of {', '.join(RejectionCode)}")
]
MetricWord = Annotated[
    SlaMetric, _OneOf(*SlaMetric), Field(description=f"one of {', '.join(SlaMetric)}")
]
DetectionWord = Annotated[
    Literal["timer", "completion"], Field(description="timer or completion: what noticed it")
]


class ActorFact(Fact):
    """Who caused it; the system is a workflow, or time that passed."""

    type: SenderWord
    id: Text | None


ActorObject = Annotated[ActorFact, Field(description="an object with type and id")]
