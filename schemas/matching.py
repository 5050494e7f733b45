"""How the texts of routing rules are compared with those of requests: globs and keywords.

Neither case counts nor the way in which Unicode writes something: `STRASSE` is `Straße`.
"""

import re
import unicodedata
from fnmatch import translate
from functools import cache
from typing import Final, NamedTuple

_ASCII_WORDS: Final = "".join(
    char.lower() if char.isalnum() or char == "_" else " " for char in map(chr, range(128))
)
"""What each ASCII character is within words: most texts are split in a microsecond by it."""

_WILD: Final = re.compile(r"[*?]|\[!?\]?[^\]]*\]")
_SET: Final = re.compile(r"\[(!?\]?[^\]]*)(\]?)")
_RANGE: Final = re.compile(r"(.)-(.)", re.DOTALL)
_PLANE: Final = 0x10000
"""Combining marks beyond are those of scripts of the past, and would make matching slow."""


class Glob(NamedTuple):
    """A glob to be matched. literal: what must be in any text that matches, quicker to look for."""

    literal: str
    pattern: re.Pattern[str]


def folded(text: str) -> str:
    """The text as it is compared: NFKC, without case."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> list[str]:
    """The words of a text, folded: runs of letters, digits, underscores and combining marks."""
    if text.isascii():
        return text.translate(_ASCII_WORDS).split()
    return _word().findall(folded(text))


@cache
def _word() -> re.Pattern[str]:
    """Python's own class has no combining marks, and would end words of Hindi at each vowel."""
    marks = (char for char in map(chr, range(_PLANE)) if unicodedata.category(char)[0] == "M")
    return re.compile(rf"[\w{''.join(marks)}]+")


def glob(text: str) -> Glob:
    """A shell glob for a whole text: *, ?, [a-z], [!a-z]."""
    plain = folded(text)
    return Glob(max(_WILD.split(plain), key=len), re.compile(translate(plain)))


def prefix_glob(text: str) -> Glob:
    """A shell glob for the beginning of a text."""
    return glob(f"{text}*")


def glob_problem(text: str) -> str | None:
    """Why the text is no glob, as a clause; None where it is one."""
    plain = folded(text)
    for found in _SET.finditer(plain):
        body = found[1].removeprefix("!")
        if not found[2]:
            return "has a [ without its ]"
        if body.startswith("^"):
            return "begins a set with [^, which shells read differently; write [!"
        for first, last in _RANGE.findall(body):
            if first > last:
                return f"has the empty range {first}-{last}"
    return None
