"""A dead letter's value with the place at fault marked, whatever the value is."""

import pytest

from consumer.cli.marked_json import marked_lines

REQUEST = b'{"title": "ab", "attachments": [{"name": "x"}, {"name": ""}], "context": {}}'


def marked(value: bytes, path: str | None) -> list[str]:
    return [line for is_marked, line in marked_lines(value, path, "why") if is_marked]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("title", '  "title": "ab"   <-- why'),
        ("attachments[1].name", '      "name": ""   <-- why'),
        ("attachments[0]", "    {   <-- why"),
        ("attachments[1].url", "    {   <-- why"),
        ("context", '  "context": {}   <-- why'),
        ("description", "{   <-- why"),
        ("value", "{   <-- why"),
    ],
)
def test_the_field_at_fault_is_marked_or_what_lacks_it(path: str, line: str) -> None:
    assert marked(REQUEST, path) == [line]


def test_without_a_path_nothing_is_marked() -> None:
    assert marked(REQUEST, None) == []


def test_the_value_is_all_there() -> None:
    assert [line for _, line in marked_lines(b'{"a": [1, {"b": null}], "c": {}}', None, "")] == [
        "{",
        '  "a": [',
        "    1",
        "    {",
        '      "b": null',
        "    }",
        "  ]",
        '  "c": {}',
        "}",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"{not json", ["{not json"]),
        (b"\xff\xfe{\x00", ["\\xff\\xfe{\x00"]),
        (b"", []),
        (b"[" * 5_000, ["[" * 4_000 + "... (1000 more characters)"]),
    ],
)
def test_what_is_no_json_is_shown_as_text(value: bytes, text: list[str]) -> None:
    assert marked_lines(value, "title", "why") == [(False, line) for line in text]


def test_valid_json_that_is_nested_too_deep_is_shown_as_text() -> None:
    (line,) = marked_lines(b"[" * 150 + b"]" * 150, None, "why")
    assert line == (False, "[" * 150 + "]" * 150)


def test_a_long_text_is_shortened() -> None:
    line = marked_lines(b'{"a": "' + b"x" * 1_000 + b'"}', "a", "why")[1][1]
    assert line.endswith("more characters)   <-- why")
    assert len(line) < 400
