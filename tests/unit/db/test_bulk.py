"""COPY's text format: what PostgreSQL reads is what was written (its manual: COPY, Text Format)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import tables
from db.bulk import NULL, Row, Rows, copy_text, unnested

ESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "v": "\v", "b": "\b", "f": "\f"}
VALUES = st.text(
    st.sampled_from("\t\n\r\\\v\b.N0x7 aé\u2028\x85") | st.characters(codec="utf-8"), max_size=12
) | st.sampled_from([NULL, "", "\\.", "\\N", "\\v", NULL + NULL])


def read_copy(data: bytes) -> list[list[str | None]]:
    """As PostgreSQL reads it: the mark for null is looked for before backslashes are taken away."""
    text = data.decode()
    assert "\r" not in text
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    assert "\\." not in lines
    return [[unescaped(field) for field in line.split("\t")] for line in lines]


def unescaped(field: str) -> str | None:
    if field == NULL:
        return None
    assert re.fullmatch(r"(?s)(?:[^\\]|\\[\\tnr])*", field), field
    return re.sub(r"\\(.)", lambda found: ESCAPES[found[1]], field)


def as_read(rows: list[Row]) -> list[list[str | None]]:
    return [[None if value == NULL else value for value in row] for row in rows]


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), min_size=1)))
def test_any_text_comes_back_as_it_was(rows: list[Row]) -> None:
    assert read_copy(copy_text(rows)) == as_read(rows)


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\rb", "a\\b", "\\", "\\.", "\\N", "a\\tb"])
def test_a_single_special_value_among_plain_ones(value: str) -> None:
    rows: list[Row] = [("1", "x"), ("2", value), ("3", NULL)]
    assert read_copy(copy_text(rows)) == as_read(rows)


def test_a_tab_in_one_row_is_not_made_up_for_by_another() -> None:
    rows: list[Row] = [("a\t", "b"), ("", "c")]
    assert read_copy(copy_text(rows)) == as_read(rows)


def test_only_the_mark_alone_is_null() -> None:
    rows: list[Row] = [(NULL, NULL + "a", "a" + NULL, NULL + NULL)]
    assert read_copy(copy_text(rows)) == [[None, "\va", "a\v", "\v\v"]]


def test_a_text_that_postgresql_cannot_hold_is_refused_here() -> None:
    with pytest.raises(UnicodeEncodeError):
        copy_text([("\ud800",)])


def test_a_select_has_the_types_of_its_table() -> None:
    batch = Rows(tables.outbox, ("id", "created_at"), [("1", NULL), ("2", "now")])
    statement, arguments = unnested(batch)
    assert statement == (
        'SELECT r."id"::BIGINT AS "id", r."created_at"::TIMESTAMP WITH TIME ZONE AS "created_at"'
        ' FROM unnest($1::text[], $2::text[]) AS r("id", "created_at")'
    )
    assert arguments == [["1", "2"], [None, "now"]]
