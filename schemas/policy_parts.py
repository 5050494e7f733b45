"""What the parts of a policy are made of."""

from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

HIGHEST_LEVEL: Final = 99

T = TypeVar("T")


class Part(BaseModel):
    """An object of a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def field_names(part: type[Part]) -> str:
    """The fields of a part, to be told."""
    return ", ".join(part.model_fields)


def listed(value: object) -> object:
    """One value for a list of one."""
    return value if value is None or isinstance(value, list | tuple | dict) else [value]


OneOrMore = Annotated[tuple[T, ...], Field(min_length=1, max_length=100), BeforeValidator(listed)]
TierName = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=100),
    Field(description="text of 1 to 100 characters, or a list of such texts"),
]
Name = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^(?s:\S|\S.*\S)$"),
]
"""Of an entry, by which other parts refer to it."""

EscalationLevel = Annotated[
    int,
    Field(strict=True, ge=1, le=HIGHEST_LEVEL, description=f"an integer from 1 to {HIGHEST_LEVEL}"),
]
