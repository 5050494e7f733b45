"""The constrained types that messages are made of; each says in its description what it accepts.

All of it runs in pydantic's compiled core: an ordinary record costs no Python call per field. Text
is trimmed of Unicode white space at its ends and otherwise kept as sent; nothing is coerced. UUIDs
stay text, in the canonical form: no `uuid.UUID` object is made on the way.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.vocabulary import ActorType, Priority, TicketStatus, TicketType

UUID_FORM: Final = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
LARGEST_EXTERNAL_ID: Final = 2**63 - 1
"""What a bigint column holds."""

IGNORED: Final = "~"
"""A step of an error's path that says how we validate, not where the fault is."""


class NullIs:
    """Annotation: null counts as this value, as an absent field does."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401  pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        value = self._value
        null = core_schema.no_info_after_validator_function(
            lambda _: value, core_schema.none_schema()
        )
        return core_schema.union_schema(
            [(handler(source), IGNORED), (null, IGNORED)], mode="left_to_right"
        )


class UuidOrInteger:
    """Annotation: one or the other, and one error for the field when it is neither."""

    def __get_pydantic_core_schema__(
        self,
        _: Any,  # noqa: ANN401  pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.union_schema(
            [handler.generate_schema(Uuid), handler.generate_schema(ExternalId)],
            mode="left_to_right",
            custom_error_type="uuid_or_integer",
            custom_error_message="is neither a UUID nor an integer",
        )


@dataclass(frozen=True, slots=True)
class Absent:
    """Annotation: what a field means that is absent, where that is more than its default."""

    meaning: str


def missing_field(path: str, reason: str) -> PydanticCustomError:
    """A field that only some messages need. reason: why this one does, as a clause."""
    return PydanticCustomError("needed", "is missing, {reason}", {"path": path, "reason": reason})


def wrong_field(path: str, problem: str) -> PydanticCustomError:
    """A field that is at odds with another one. problem: as a clause after the field's name."""
    return PydanticCustomError("conflict", "{problem}", {"path": path, "problem": problem})


def _text(least: int, most: int, *, pattern: str | None = None) -> StringConstraints:
    """Lengths count code points after trimming."""
    return StringConstraints(
        strict=True, strip_whitespace=True, min_length=least, max_length=most, pattern=pattern
    )


TenantId = Annotated[
    str,
    _text(1, 255, pattern=r"^[A-Za-z0-9._-]*$"),
    Field(description="1 to 255 of the characters A-Z a-z 0-9 . _ -"),
]
Title = Annotated[str, _text(3, 255), Field(description="text of 3 to 255 characters")]
LongText = Annotated[str, _text(1, 65_536), Field(description="text of 1 to 65,536 characters")]
Address = Annotated[str, _text(0, 500), Field(description="text of up to 500 characters")]
Comment = Annotated[str, _text(0, 4_000), Field(description="text of up to 4,000 characters")]
Item = Annotated[str, _text(1, 100), Field(description="text of 1 to 100 characters")]
ShortText = Annotated[str, _text(1, 255), Field(description="text of 1 to 255 characters")]
RequestId = ShortText
GroupKey = ShortText
ActorId = ShortText
UserId = ShortText
FileName = ShortText
Team = Item
Items = Annotated[
    tuple[Item, ...],
    Field(
        max_length=100,
        fail_fast=True,  # or millions of wrong ones would be gathered as millions of errors
        description="a list of up to 100 texts of 1 to 100 characters",
    ),
]

Uuid = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, to_lower=True, pattern=UUID_FORM),
    Field(description="a UUID"),
]
ExternalId = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=LARGEST_EXTERNAL_ID,
        description=f"an integer from 0 to {LARGEST_EXTERNAL_ID}",
    ),
]
CustomerId = Annotated[
    str | int,
    UuidOrInteger(),
    Field(description="a UUID, or an integer (the customer's external_id)"),
]
TicketNumber = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        to_upper=True,
        pattern="^[Tt][Cc][Kk]-[0-9A-Fa-f]{12}$",
    ),
    Field(description="TCK- and 12 hexadecimal digits"),
]

PriorityWord = Annotated[
    Priority,
    Field(
        description=f"one of {', '.join(Priority)}, medium (normal), critical (urgent); in any case"
    ),
]
TicketTypeWord = Annotated[
    TicketType, Field(description=f"one of {', '.join(TicketType)}; in any case")
]
ActorTypeWord = Annotated[
    ActorType, Field(description=f"one of {', '.join(ActorType)}; in any case")
]
StatusWord = Annotated[
    TicketStatus, Field(description=f"one of {', '.join(TicketStatus)}; in any case")
]
Flag = Annotated[bool, Field(strict=True, description="true or false")]
Level = Annotated[
    int,
    Field(strict=True, ge=-LARGEST_EXTERNAL_ID, le=LARGEST_EXTERNAL_ID, description="an integer"),
]
Sequence = Annotated[
    int, Field(strict=True, ge=0, le=LARGEST_EXTERNAL_ID, description="an integer of 0 or more")
]
Rating = Annotated[int, Field(strict=True, ge=1, le=5, description="an integer from 1 to 5")]

HttpUrl = Annotated[
    str,
    _text(1, 2_048, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]\S*$"),
    Field(description="an http or https URL of up to 2,048 characters"),
]
ContentType = Annotated[str, _text(0, 127), Field(description="text of up to 127 characters")]
Size = Annotated[
    int, Field(strict=True, ge=0, le=LARGEST_EXTERNAL_ID, description="an integer of 0 or more")
]
