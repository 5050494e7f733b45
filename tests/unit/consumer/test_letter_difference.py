"""What an edit changed is told path by path."""

import json
from typing import Any

import pytest

from consumer.letter_difference import Difference, differences
from consumer.letter_edit import Edit, edited, parse_put
from schemas.envelope import Headers

EVENT = (("content-type", b"application/cloudevents+json"),)


def between(before: object, after: object, headers: Headers = ()) -> list[tuple[Any, ...]]:
    found = differences(json.dumps(before).encode(), json.dumps(after).encode(), headers)
    assert found is not None
    return [tuple(each) for each in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"b": 2}, [("a", 1, None), ("b", None, 2)]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [("a.b.c", 1, 2)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a.1", 2, 3)]),
        ({"a": [1]}, {"a": [1, 3]}, [("a", [1], [1, 3])]),
        ({"a": None}, {}, []),
        ([1], {"a": 1}, [("value", [1], {"a": 1})]),
    ],
)
def test_differences(before: object, after: object, expected: list[tuple[Any, ...]]) -> None:
    assert between(before, after) == expected


def test_those_of_an_event_are_its_datas_and_its_own() -> None:
    before = {"id": "1", "data": {"title": "a"}}
    after = {"id": "2", "data": {"title": "b"}}
    assert between(before, after, EVENT) == [("event:id", "1", "2"), ("title", "a", "b")]


def test_what_is_no_json_has_none() -> None:
    assert differences(b"\xff", b"{}", ()) is None
    assert differences(b"{}", b"\xff", ()) is None
    assert differences(None, b"{}", ()) is None


def test_an_edit_is_told_as_it_was_made() -> None:
    value = b'{"priority": "hgih", "title": "A line is down"}'
    made = edited(value, (), Edit(puts=[parse_put("priority=high")]))
    assert differences(value, made, ()) == [Difference("priority", "hgih", "high")]
