"""Patterns for JSON Schema that mean the same in every engine: ECMA-262, Python's, Java's, RE2.

The service trims text before it judges it, and takes words in any case; so do these.
"""

import re
from collections.abc import Iterable
from typing import Final

BLANKS: Final = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
r"""What is trimmed of texts: Unicode's white space, which no two engines call \s alike."""

BLANKS_OF_WORDS: Final = f"{BLANKS}\x1c-\x1f"
"""What Python's str.strip trims of words."""

MOST_REPEATED: Final = 1_000
"""RE2 repeats nothing more often: what may be longer needs maxLength instead."""

_ODD_SPELLINGS: Final = {"k": "Kk\u212a"}
"""The one letter of our words that a third character is in lower case: the Kelvin sign."""

_INK: Final = f"[^{BLANKS}]"
_ONE_CLASS: Final = re.compile(r"(\[[^\]]+\])\*")


def in_any_case(words: Iterable[str]) -> str:
    """One of these words, with any white space around it."""
    spelled = "|".join("".join(map(_in_any_case, word)) for word in words)
    return f"^[{BLANKS_OF_WORDS}]*(?:{spelled})[{BLANKS_OF_WORDS}]*$"


def trimmed(pattern: str | None, least: int, most: int | None) -> str | None:
    """Text that is of this pattern and of so many characters, once it is trimmed.

    None: nothing is asked of it that a pattern could say. Of longer text than MOST_REPEATED only
    that it is not blank.
    """
    is_long = most is None or most > MOST_REPEATED
    if pattern is None and is_long:
        return _INK if least else None
    core = _of_length(least, most or 0) if pattern is None else _portable(pattern, least, most)
    return f"^[{BLANKS}]*(?:{core})[{BLANKS}]*$"


def _in_any_case(letter: str) -> str:
    spellings = _ODD_SPELLINGS.get(letter, letter.upper() + letter)
    return f"[{spellings}]" if letter.isalpha() else letter


def _of_length(least: int, most: int) -> str:
    if least > 1:
        return rf"{_INK}[\s\S]{{{least - 2},{most - 2}}}{_INK}"
    text = rf"{_INK}(?:[\s\S]{{0,{most - 2}}}{_INK})?"
    return text if least else f"(?:{text})?"


def _portable(pattern: str, least: int, most: int | None) -> str:
    r"""A model's pattern without its anchors and without \s."""
    core = pattern.removeprefix("^").removesuffix("$")
    core = core.replace(r"[^\s", f"[^{BLANKS}").replace(r"\S", _INK)
    one_class = _ONE_CLASS.fullmatch(core)
    return f"{one_class[1]}{{{least},{most}}}" if one_class and most else core
