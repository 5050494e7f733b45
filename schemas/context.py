"""A request's free-form context: any JSON object that the database can hold, and not too large."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MOST_BYTES: Final = 32 * 1024
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def context_json(context: dict[str, Any]) -> str:
    """Compact JSON; integers of any size are kept exactly."""
    return _encode(context)


def _storable(context: dict[str, Any]) -> dict[str, Any]:
    try:
        text = context_json(context)
        for number in _integers(context):
            float(number)
    except (OverflowError, ValueError):
        raise PydanticCustomError(
            "number_range", "holds a number that no double can hold"
        ) from None
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise PydanticCustomError("context_size", "is {size} bytes as JSON", {"size": size})
    return context


def _integers(value: object) -> Iterator[int]:
    match value:
        case bool():
            return
        case int():
            yield value
        case dict():
            for item in value.values():
                yield from _integers(item)
        case list():
            for item in value:
                yield from _integers(item)
        case _:
            return


Context = Annotated[dict[Annotated[str, Field(strict=True)], Any], AfterValidator(_storable)]
