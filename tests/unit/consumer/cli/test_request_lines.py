"""What a file of requests holds, line by line, unjudged."""

from pathlib import Path

import pytest

from consumer.cli.failures import CommandFailed
from consumer.cli.request_lines import read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b'{"a": 1}\n\n  {"b":2}  \n', [(1, b'{"a": 1}'), (3, b'{"b":2}')]),
        (b'{"a": 1}', [(1, b'{"a": 1}')]),
        (b'{\n "a": 1\n}\n', [(1, b'{\n "a": 1\n}')]),
        (b'[{"a":1},\n {"b":2}]', [(1, b'{"a":1}'), (2, b'{"b":2}')]),
        (b'{"a": 1}\nnot json\n', [(1, b'{"a": 1}'), (2, b"not json")]),
        (b"[not json\n", [(1, b"[not json")]),
        (b"\xff\n", [(1, b"\xff")]),
        (b"", []),
    ],
)
def test_a_file_is_lines_or_one_document(
    tmp_path: Path, content: bytes, lines: list[tuple[int, bytes]]
) -> None:
    file = tmp_path / "requests"
    file.write_bytes(content)
    assert list(read_lines(str(file))) == lines


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"nothing\.jsonl can't be read: No such file"):
        list(read_lines(str(tmp_path / "nothing.jsonl")))
