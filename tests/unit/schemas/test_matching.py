"""Globs and keywords: how they are compared, whatever the script."""

import unicodedata
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.matching import Glob, folded, glob, glob_problem, prefix_glob, words


def matches(each: Glob, text: str) -> bool:
    """Whether it matches; what is looked for first must then be there."""
    is_match = each.pattern.match(folded(text)) is not None
    assert each.literal in folded(text) or not is_match
    return is_match


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*Berlin*", "Hauptstr. 1, 10115 BERLIN"),
        ("1011? *", "10115 Berlin"),
        ("101[0-3]? *", "10115 Berlin"),
        ("[!a-z]*", "10115 Berlin"),
        ("*straße*", "HAUPTSTRASSE 1"),
        ("*Strasse*", "Hauptstraße 1"),
        ("*müller*", unicodedata.normalize("NFD", "Müllerweg")),
        ("[*]", "*"),
        ("[]]", "]"),
        ("a*", "a\nb"),
        ("*", ""),
    ],
)
def test_a_glob_matches_a_whole_text(pattern: str, text: str) -> None:
    assert glob_problem(pattern) is None
    assert matches(glob(pattern), text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("Berlin", "10115 Berlin"),
        ("1011?", "101155"),
        ("[!1]*", "10115"),
        ("a\\*", "ab"),
        ("?", ""),
    ],
)
def test_a_glob_does_not_match_a_part(pattern: str, text: str) -> None:
    assert not matches(glob(pattern), text)


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("ZTE-F6", "zte-f660-0815", True),
        ("HW?[0-3]", "HWX2-1", True),
        ("HW?[0-3]", "HWX4-1", False),
        ("F6", "ZTE-F660", False),
        ("*F6", "ZTE-F660", True),
    ],
)
def test_a_prefix_matches_the_beginning(pattern: str, text: str, *, is_match: bool) -> None:
    assert matches(prefix_glob(pattern), text) is is_match


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("[a", "has a [ without its ]"),
        ("x[!]", "has a [ without its ]"),
        ("[]", "has a [ without its ]"),
        ("[^a]", "begins a set with [^, which shells read differently; write [!"),
        ("[9-0]", "has the empty range 9-0"),
        ("[a][Z-a]", "has the empty range z-a"),
        ("[a-Z]", None),
    ],
)
def test_a_glob_that_means_nothing_is_told(pattern: str, problem: str | None) -> None:
    assert glob_problem(pattern) == problem


@given(st.text(alphabet="ab*?[]!-^\\&|~ß", max_size=12), st.text(alphabet="ab-]^ß", max_size=6))
def test_a_glob_without_problem_compiles_and_agrees_with_the_shell(pattern: str, text: str) -> None:
    if glob_problem(pattern) is None:
        assert matches(glob(pattern), text) == fnmatchcase(folded(text), folded(pattern))


def test_a_hostile_glob_takes_no_time() -> None:
    """Backtracking would take longer than the universe has existed."""
    assert not matches(glob("*a" * 100), "a" * 99 + "b" * 400)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("No internet!", ["no", "internet"]),
        ("Wi-Fi (5 GHz) is_down", ["wi", "fi", "5", "ghz", "is_down"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("Störung Стоп", ["störung", "стоп"]),
        ("नेटवर्क बंद है", ["नेटवर्क", "बंद", "है"]),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{LATIN SMALL LIGATURE FI}", ["afi"]),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_and_digits(text: str, found: list[str]) -> None:
    assert words(text) == [folded(word) for word in found]


@given(st.text())
def test_words_do_not_depend_on_case_or_on_how_unicode_writes_them(text: str) -> None:
    for other in (text.casefold(), unicodedata.normalize("NFD", text)):
        assert words(other) == words(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_takes_a_shorter_way_to_the_same_words(text: str) -> None:
    assert words(f"{text} ß") == [*words(text), "ss"]
