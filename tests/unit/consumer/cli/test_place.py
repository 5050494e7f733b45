"""TOPIC:PARTITION:OFFSET, read and written."""

import pytest

from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.place import Place, parse_place


def test_a_place_is_read_as_it_is_written() -> None:
    place = parse_place(" acme.ticket.requested:3:42 ")
    assert place == Place("acme.ticket.requested", 3, 42)
    assert parse_place(str(place)) == place


@pytest.mark.parametrize(
    "text", ["", "ticket.requested", "t:0", "t:a:1", "t:0:-1", ":0:1", "a b:0:1"]
)
def test_anything_else_is_wrong_use(text: str) -> None:
    with pytest.raises(CommandFailed, match="TOPIC:PARTITION:OFFSET") as refused:
        parse_place(text)
    assert refused.value.exit_code == WRONG_USE
