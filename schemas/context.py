"""A request's free-form context: any JSON object that the database can hold, and not too large."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, to_json

MOST_BYTES: Final = 32 * 1024
_ENDLESS: Final = re.compile("Infinity|NaN|[0-9]{309}")
"""Compact JSON without any of these holds no number that overflows a double."""


class ContextObject(dict[str, Any]):
    """A JSON object, and the same as compact JSON: made once, to be measured and to be stored."""

    __slots__ = ("json",)
    json: str

    @classmethod
    def checked(cls, value: dict[str, Any]) -> Self:
        """Raises PydanticCustomError for what is too large, or what PostgreSQL can't hold."""
        try:
            encoded = to_json(value, inf_nan_mode="constants")
        except ValueError as error:
            raise _unstorable(error) from None
        if len(encoded) > MOST_BYTES:
            raise PydanticCustomError(
                "context_size", "is {size} bytes as JSON", {"size": f"{len(encoded):,}"}
            )
        text = encoded.decode()
        if _ENDLESS.search(text) and _overflows(value):
            raise PydanticCustomError("number_range", "holds a number that no double can hold")
        context = cls(value)
        context.json = text
        return context

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        _: Any,  # noqa: ANN401  pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.checked, handler.generate_schema(dict[Annotated[str, Field(strict=True)], Any])
        )


Context = Annotated[
    ContextObject, Field(description=f"a JSON object of up to {MOST_BYTES:,} bytes")
]


def _unstorable(error: ValueError) -> PydanticCustomError:
    if "surrogates" in str(error):
        return PydanticCustomError("unstorable", "holds half of a surrogate pair")
    return PydanticCustomError("not_json", "can't be written as JSON")


def _overflows(value: object) -> bool:
    match value:
        case int() | float():
            try:
                return not -float("inf") < float(value) < float("inf")
            except OverflowError:
                return True
        case dict():
            return any(map(_overflows, value.values()))
        case list() | tuple():
            return any(map(_overflows, value))
        case _:
            return False
