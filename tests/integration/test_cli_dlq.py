"""`ticketing dlq`: why records could not be handled."""

import json

import pytest

from tests.integration.command import Command
from tests.integration.test_cli_requests import request

WHY = "title: is 2 characters long; expected text of 3 to 255 characters"


@pytest.fixture
def with_letters(command: Command) -> Command:
    command.handle(
        request(title="ab", description="\x1b[31mred\x1b[0m"),
        b"\xff\xfe\x00",
        request(tenant_id="south", attachments=[{"name": "a", "url": "ftp://x"}]),
    )
    command.execute(
        "UPDATE dead_letters SET failed_at = now() - interval '2 days' WHERE \"offset\" = 1"
    )
    return command


def ids(command: Command, *options: str) -> list[str]:
    done = command("dlq", "list", "--json", *options)
    assert done.code == 0, done.err
    return sorted(letter["id"] for letter in done.json)


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        ([], [0, 1, 2]),
        (["--since", "1h"], [0, 2]),
        (["--tenant", "south"], [2]),
        (["--error", "WrongSize"], [0]),
        (["--topic", "ticket.requested"], [0, 1, 2]),
        (["--topic", "other"], []),
        (["--state", "discarded"], []),
        (["--since", "1h", "--limit", "1", "--tenant", "north"], [0]),
    ],
)
def test_dead_letters_are_listed_by_what_is_named(
    with_letters: Command, options: list[str], offsets: list[int]
) -> None:
    assert ids(with_letters, *options) == [f"ticket.requested:0:{offset}" for offset in offsets]


def test_the_list_says_why(with_letters: Command) -> None:
    page = with_letters("dlq", "list", "--tenant", "north").page
    assert page == [
        "id  state  tenant  failed  why",
        f"ticket.requested:0:0  dead  north  TIME (AGE)  {WHY}",
    ]
    assert with_letters("dlq", "list", "--topic", "other").out == "No dead letter fits.\n"


def test_a_letter_shows_its_record_with_the_place_marked(with_letters: Command) -> None:
    done = with_letters("dlq", "show", "ticket.requested:0:0")
    assert done.code == 0
    assert "passed on    waiting" in done.out
    assert f'  "title": "ab"   <-- {WHY}' in done.out.splitlines()
    assert "\x1b" not in done.out


def test_a_letter_that_is_no_json_is_shown_as_text(with_letters: Command) -> None:
    done = with_letters("dlq", "show", "ticket.requested:0:1")
    assert done.out.splitlines()[-1] == "\\xff\\xfe\\x00"


def test_a_nested_fault_is_marked_where_it_is(with_letters: Command) -> None:
    lines = with_letters("dlq", "show", "ticket.requested:0:2").out.splitlines()
    (marked,) = [line for line in lines if "<--" in line]
    assert marked.strip().startswith('"url": "ftp://x"   <-- attachments[0].url: ')


def test_json_has_the_whole_record(with_letters: Command) -> None:
    (letter,) = with_letters("dlq", "show", "ticket.requested:0:0", "--json").json
    assert json.loads(letter["value"])["title"] == "ab"
    assert letter["error_path"] == "title"


def test_a_letter_that_the_broker_refused_says_so(with_letters: Command) -> None:
    with_letters.execute("UPDATE dead_letters SET publish_error = 'The record is too large.'")
    page = with_letters("dlq", "show", "ticket.requested:0:0").page
    assert "passed on  no: The record is too large." in page


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "ticket.requested:0:99"], 1, "There is no dead letter ticket.requested:0:99."),
        (["show", "nonsense"], 2, "'nonsense' is not a record"),
        (["list", "--since", "2026-01-01T00:00:00"], 2, "has no offset from UTC"),
    ],
)
def test_a_failure_is_one_sentence(
    command: Command, arguments: list[str], code: int, sentence: str
) -> None:
    done = command("dlq", *arguments)
    assert done.code == code
    assert sentence in done.err
    assert done.err.count("\n") == 1
