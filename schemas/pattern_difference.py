"""What it means that a pattern is another one now, as far as that can be told from the two."""

import re
from typing import Final

from schemas.schema_change import Change

_REPEATED: Final = re.compile(r"\{(\d+),(\d+)\}")
_WORDS: Final = re.compile(r"(\^\[[^\]]*\]\*\(\?:)([^()]*)(\)\[[^\]]*\]\*\$)")
"""A pattern that is a list of words."""


def of_patterns(was: str, now: str) -> Change:
    """Two lists of words, or one form of two lengths, can be compared; other patterns can't."""
    if _REPEATED.sub("", was) == _REPEATED.sub("", now):
        return _of_lengths(_REPEATED.findall(was), _REPEATED.findall(now))
    old, new = _WORDS.fullmatch(was), _WORDS.fullmatch(now)
    if old and new and (old[1], old[3]) == (new[1], new[3]):
        return _of_sets(set(old[2].split("|")), set(new[2].split("|")))
    return Change.OTHER


def _of_lengths(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> Change:
    """Between how often two patterns repeat what they have in common."""
    least = [int(now[0]) - int(was[0]) for was, now in zip(old, new, strict=True)]
    most = [int(now[1]) - int(was[1]) for was, now in zip(old, new, strict=True)]
    if max(least) <= 0 <= min(most):
        return Change.WIDENED
    return Change.NARROWED if max(most) <= 0 <= min(least) else Change.OTHER


def _of_sets(old: set[str], new: set[str]) -> Change:
    if old < new:
        return Change.WIDENED
    return Change.NARROWED if new < old else Change.OTHER
