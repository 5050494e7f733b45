"""The constrained types that messages are made of. All of it runs in pydantic's compiled core.

Text is trimmed of Unicode white space at its ends and otherwise kept as sent; nothing is coerced.
UUIDs stay text, in the canonical form: no `uuid.UUID` object is made on the way.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    Tag,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.vocabulary import PRIORITY_NAMES, ActorType, Priority, TicketStatus, TicketType

UUID_FORM: Final = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
TIME_FORM: Final = (
    r"^\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$"
)
LARGEST_EXTERNAL_ID: Final = 2**63 - 1

IGNORED: Final = "~"
"""A step of an error's path that says how we validate, not where the fault is."""

IGNORED_WHOLE: Final = "~null"
"""Marks the errors of the null branch, which say nothing to a sender."""

_Word = TypeVar("_Word", bound=StrEnum)


class Words:
    """Annotation: one of these words in any case, as its enum's member."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return core_schema.chain_schema(
            [
                core_schema.str_schema(strict=True, strip_whitespace=True, to_lower=True),
                core_schema.literal_schema(list(self._names)),
                core_schema.no_info_plain_validator_function(self._names.__getitem__),
            ]
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": list(self._names)}


class NullIs:
    """Annotation: null counts as this value, as an absent field does."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401  pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        absent = core_schema.chain_schema(
            [
                core_schema.none_schema(),
                core_schema.no_info_plain_validator_function(lambda _: self._value),
            ]
        )
        return core_schema.union_schema(
            [(handler(source), IGNORED), (absent, IGNORED_WHOLE)], mode="left_to_right"
        )


def _words(enum: type[_Word]) -> dict[str, _Word]:
    return {member.value: member for member in enum}


PriorityWord = Annotated[Priority, Words(PRIORITY_NAMES)]
TicketTypeWord = Annotated[TicketType, Words(_words(TicketType))]
ActorTypeWord = Annotated[ActorType, Words(_words(ActorType))]
StatusWord = Annotated[TicketStatus, Words(_words(TicketStatus))]


def _text(least: int, most: int, *, pattern: str | None = None) -> StringConstraints:
    return StringConstraints(
        strict=True, strip_whitespace=True, min_length=least, max_length=most, pattern=pattern
    )


TenantId = Annotated[str, _text(1, 255, pattern=r"^[A-Za-z0-9._-]+$")]
RequestId = Annotated[str, _text(1, 255)]
Title = Annotated[str, _text(3, 255)]
LongText = Annotated[str, _text(1, 65_536)]
Team = Annotated[str, _text(1, 100)]
Address = Annotated[str, _text(0, 500)]
Item = Annotated[str, _text(1, 100)]
Items = Annotated[tuple[Item, ...], Field(max_length=100)]
GroupKey = Annotated[str, _text(1, 255)]
ActorId = Annotated[str, _text(1, 255)]
Comment = Annotated[str, _text(0, 4_000)]
Uuid = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, to_lower=True, pattern=UUID_FORM),
]
ExternalId = Annotated[int, Field(strict=True, ge=0, le=LARGEST_EXTERNAL_ID)]
CustomerId = Annotated[
    Annotated[Uuid, Tag(IGNORED)] | Annotated[ExternalId, Tag(IGNORED)],
    Field(union_mode="left_to_right"),
]
HttpUrl = Annotated[str, _text(1, 2_048, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/]\S*$")]
ContentType = Annotated[str, _text(1, 127)]
Size = Annotated[int, Field(strict=True, ge=0, le=LARGEST_EXTERNAL_ID)]


def _storable_time(text: str) -> str:
    """RFC 3339 as PostgreSQL can hold it. Raises ValueError for a day that no calendar has."""
    upper = text.upper().replace(" ", "T")
    leap = upper[17:19] == "60"  # PostgreSQL takes it as the next minute's first second
    moment = datetime.fromisoformat(upper[:17] + "59" + upper[19:] if leap else upper)
    try:
        moment.astimezone(UTC)
    except OverflowError:
        message = "is outside the years 1 to 9999 in UTC"
        raise ValueError(message) from None
    return moment.isoformat()


Time = Annotated[str, _text(20, 64, pattern=TIME_FORM), AfterValidator(_storable_time)]
"""RFC 3339 text with an offset."""


class Message(BaseModel):
    """What all inbound messages share: unknown fields are ignored, but can be counted."""

    model_config = ConfigDict(extra="allow", frozen=True, cache_strings="keys")


class Actor(Message):
    """Who asks."""

    type: ActorTypeWord
    id: ActorId | None = None


class Attachment(Message):
    """A file that somebody else keeps."""

    name: Annotated[str, _text(1, 255)]
    url: HttpUrl
    content_type: ContentType | None = None
    size: Size | None = None


Attachments = Annotated[tuple[Attachment, ...], Field(max_length=20)]
