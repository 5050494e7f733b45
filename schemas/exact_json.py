"""JSON as RFC 8259 has it, for the few records that may not be: slower, and strict.

pydantic's parser takes NaN, Infinity and U+0000, and refuses lone surrogates even where nobody
keeps them; Python's own takes NaN too and answers some input with RecursionError.
"""

import json
import re
from typing import Any, Final, NoReturn

DEEPEST: Final = 100
_BRACKETS: Final = b"[]{}"
_OTHERS: Final = bytes(set(range(256)) - set(_BRACKETS))
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_LONGEST_NUMBER: Final = 400
_ODD_STARTS: Final = b"\xef\xff\xfe\0"
"""A byte order mark, or the Confluent wire format."""


class NotJson(Exception):
    """The value {problem}; expected {accepted_form}."""

    def __init__(self, problem: str, accepted_form: str = "JSON (RFC 8259) in UTF-8") -> None:
        super().__init__(f"the value {problem}; expected {accepted_form}")
        self.problem = problem
        self.accepted_form = accepted_form


def is_suspicious(value: bytes) -> bool:
    """Whether an ordinary parser may judge this value wrongly. Cheap: a microsecond a kilobyte."""
    if value.count(b"{") + value.count(b"[") > DEEPEST:
        return True
    if b"\\" in value and (b"\\u0000" in value or b"\\ud" in value or b"\\uD" in value):
        return True
    return b"NaN" in value or b"Infinity" in value or value[0] in _ODD_STARTS


def parse(value: bytes) -> Any:  # noqa: ANN401  any JSON value
    """The value, parsed strictly. Raises NotJson."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"is not UTF-8 (byte {error.start})") from None
    if text.startswith("\ufeff"):
        raise NotJson("starts with a byte order mark")
    if depth_exceeds(value, DEEPEST):
        raise NotJson(f"is nested deeper than {DEEPEST} levels", f"at most {DEEPEST} levels")
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON ({error.msg} at character {error.pos})") from None
    except (RecursionError, ValueError):
        raise NotJson("is not JSON") from None


def depth_exceeds(value: bytes, most: int) -> bool:
    """Whether brackets nest deeper than this, at the speed of memory even for megabytes of them.

    Each round takes away the innermost pairs, so what nests properly is gone after as many rounds
    as it has levels. Brackets that don't match stay as well; the parser tells those apart.
    """
    brackets = _STRING.sub(b"", value).translate(None, _OTHERS)
    if brackets[: most + 1].translate(None, b"]}") == brackets[: most + 1]:
        return len(brackets) > most
    for _ in range(most):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    return len(brackets) > most


def _refuse(name: str) -> NoReturn:
    raise NotJson(f"holds {name}, which JSON does not have")


def _integer(digits: str) -> int | float:
    """Python refuses to read integers of thousands of digits; no double holds them either."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)
