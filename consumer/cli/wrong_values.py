"""What is wrong with the value of an option, in our words instead of pydantic's."""

from typing import Any, Final

WORDS: Final = {
    "int_parsing": "{input!r} is not a whole number.",
    "int_parsing_size": "{input!r} is too long for a number.",
    "float_parsing": "{input!r} is not a number.",
    "less_than_equal": "{input!r} is more than {le:g}.",
    "greater_than_equal": "{input!r} is not {ge:g} or more.",
}
"""By pydantic's type of an error: a sentence of its input and its context."""


def sentence_of(error: BaseException) -> str | None:
    """Return the sentence for the first problem of a ValidationError; None where typer's will do.

    The error is not looked at by its class, which would be slow to import for every command.
    """
    errors = getattr(error, "errors", None)
    if errors is None:
        return None
    detail: dict[str, Any] = errors(include_url=False)[0]
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    words = WORDS.get(detail["type"])
    return words and words.format(input=detail["input"], **detail.get("ctx", {}))
