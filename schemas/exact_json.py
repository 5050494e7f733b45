"""JSON as RFC 8259 has it: strict where pydantic's parser, and Python's own, are not.

Both take NaN and Infinity. pydantic's goes 200 levels deep and refuses lone surrogates even where
nobody keeps them; Python's answers some input with RecursionError or a bare ValueError.
"""

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn

from pydantic_core import from_json

DEEPEST: Final = 100
JSON_FORM: Final = "JSON (RFC 8259) in UTF-8"
PLAIN_FORM: Final = "plain JSON (RFC 8259) in UTF-8, without a schema registry's prefix"
_PREFIX_BYTES: Final = 5
_BACKSLASH: Final = ord("\\")
_OUTSIDE: Final = bytes(set(range(256)) - set(b'"[]{}'))
_STRING: Final = re.compile(rb'"[^"]*"?')
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_LONGEST_INTEGER: Final = 400
_TOO_LARGE: Final[int] = 10**_LONGEST_INTEGER
"""No column and no double holds it."""


class NotJson(Exception):
    """The value {problem}; expected {accepted_form}."""

    def __init__(self, problem: str, accepted_form: str = JSON_FORM) -> None:
        super().__init__(f"the value {problem}; expected {accepted_form}")
        self.problem = problem
        self.accepted_form = accepted_form


def may_hold_nul(value: bytes) -> bool:
    """Whether a parsed text may hold U+0000, which JSON can only write with an escape."""
    return _BACKSLASH in value and b"\\u0000" in value


def holds_constant(value: bytes) -> bool:
    """Whether NaN or Infinity stands somewhere, be it within a text."""
    return b"NaN" in value or b"Infinity" in value


def has_many_brackets(value: bytes) -> bool:
    """Whether there are enough of them to nest too deep."""
    return value.count(b"{") + value.count(b"[") > DEEPEST


def parse(value: bytes) -> Any:  # noqa: ANN401  any JSON value
    """The value, parsed strictly. Raises NotJson."""
    if has_many_brackets(value):
        return _parse_exactly(value)
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError:  # what is wrong, if anything, only the exact way can tell
        return _parse_exactly(value)


def _parse_exactly(value: bytes) -> Any:  # noqa: ANN401  any JSON value
    """The same by Python's parser: slower, and it can say what is wrong. Raises NotJson."""
    registered = _registered_schema(value)
    if registered is not None:
        raise NotJson(registered, PLAIN_FORM)
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise NotJson(_encoding_of(value) or f"is not UTF-8 (byte {error.start})") from None
    if is_too_deep(value):
        raise NotJson(f"is nested deeper than {DEEPEST} levels", f"at most {DEEPEST} levels")
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except json.JSONDecodeError as error:
        reason = error.msg.removesuffix(" at")  # of a sentence that Python goes on with
        fault = f"is not JSON ({reason} at character {error.pos})"
        raise NotJson(_encoding_of(value) or fault) from None


def is_too_deep(value: bytes) -> bool:
    """Whether brackets outside strings nest deeper than DEEPEST, as far as a parser would read.

    Strings and all else go at the speed of memory; only brackets are looked at one by one.
    """
    if not has_many_brackets(value):
        return False
    unescaped = value.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = _STRING.sub(b"", unescaped.translate(None, _OUTSIDE))
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > DEEPEST


def _refuse(name: str) -> NoReturn:
    raise NotJson(f"holds {name}, which JSON does not have")


def _integer(digits: str) -> int:
    """Any integer, and one far too large instead of those whose digits Python refuses to read."""
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    return -_TOO_LARGE if digits.startswith("-") else _TOO_LARGE


def _registered_schema(value: bytes) -> str | None:
    """The schema that a registry's serializer names before the data, as a clause.

    Source: Confluent's wire format: a zero byte, the schema's id in four bytes, the data. What has
    zero bytes in the first and the third place alone is UTF-16 rather than one of 16 million ids.
    """
    if len(value) < _PREFIX_BYTES or value[0] != 0 or (value[2] == 0 != value[1]):
        return None
    schema_id = int.from_bytes(value[1:_PREFIX_BYTES])
    return f"begins with the Confluent wire format (magic byte 0, schema id {schema_id})"


def _encoding_of(value: bytes) -> str | None:
    """What else than plain UTF-8 the value looks like, as a clause."""
    if value.startswith(b"\xef\xbb\xbf"):
        return "starts with a byte order mark"
    if value.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16, by its byte order mark"
    match [byte == 0 for byte in value[:4]]:
        case [True, False, True, False] | [False, True, False, True]:
            return "is UTF-16, by its zero bytes"
        case [True, *_]:
            return "starts with a zero byte"
        case _:
            return None
