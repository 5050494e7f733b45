"""`ticketing dlq`: why records could not be handled."""

import base64
import json

import pytest

from tests.integration.command import Command, Done
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
        (["--until", "1h"], [1]),
        (["--since", "3d", "--until", "1d"], [1]),
        (["--text", "CHARACTERS long"], [0]),
        (["--text", "100%"], []),
        (["--source", "portal"], []),
        (["--key", "k"], []),
        (["--state", "dead", "--error", "NotJson"], [1]),
    ],
)
def test_dead_letters_are_listed_by_what_is_named(
    with_letters: Command, options: list[str], offsets: list[int]
) -> None:
    assert ids(with_letters, *options) == [f"ticket.requested:0:{offset}" for offset in offsets]


def test_the_newest_come_first(with_letters: Command) -> None:
    done = with_letters("dlq", "list", "--json")
    assert [letter["id"][-1] for letter in done.json] == ["0", "2", "1"]
    assert [
        letter["id"][-1] for letter in with_letters("dlq", "list", "--json", "--limit", "1").json
    ] == ["0"]


def test_keys_sources_and_topics_are_told_apart(command: Command) -> None:
    command.environment["TOPIC_PREFIX"] = "p."
    headers = [("ce_id", b"1"), ("ce_source", b"portal")]
    command.handle(request(title="ab"), key=b"k", headers=headers)
    command.handle(request(title="ab"), key=b"\x00\xff", first=1)
    command.handle(b"?", topic="ticket.change_requested")
    first, second = "p.ticket.requested:0:0", "p.ticket.requested:0:1"
    assert ids(command, "--key", "k") == [first]
    assert ids(command, "--key", "hex:00ff") == [second]
    assert ids(command, "--source", "portal") == [first]
    assert ids(command, "--topic", "ticket.requested") == [first, second]
    assert ids(command, "--topic", "p.ticket.requested", "--source", "portal") == [first]
    assert ids(command, "--topic", "ticket.change_requested") == ["p.ticket.change_requested:0:0"]


def test_what_a_sender_wrote_looks_like_no_line_of_ours(command: Command) -> None:
    headers = [("note", b"x\nstate discarded"), ("none", None)]
    command.handle(request(title="ab"), key=b"k\nstate  discarded", headers=headers)
    lines = command("dlq", "show", "ticket.requested:0:0").page
    assert [line.split()[1] for line in lines if line.startswith("state")] == ["dead"]
    assert "header note: x\\nstate discarded" in lines
    assert "header none: -" in lines


def test_a_summary_counts_by_cause_and_by_source(command: Command) -> None:
    headers = [("ce_id", b"1"), ("ce_source", b"portal")]
    command.handle(request(priority="hgih"), request(priority="lwo"), headers=headers)
    command.handle(b"?", first=2)
    done = command("dlq", "list", "--summary", "--json")
    assert done.json["letters"] == 3
    first, second = done.json["causes"]
    assert (first["count"], first["topic"], first["error_class"]) == (
        *(2, "ticket.requested"),
        "WrongValue",
    )
    assert first["shape"].startswith("priority: is …; expected ")
    assert first["example"].startswith("ticket.requested:0:")
    assert (second["count"], second["error_class"]) == (1, "NotJson")
    assert [(each["source"], each["count"]) for each in done.json["sources"]] == [
        ("portal", 2),
        (None, 1),
    ]
    page = command("dlq", "list", "--summary").page
    assert page[0] == "3 dead letters by cause"
    assert page[1].strip() == "count  topic  error  why  first  last  such as"
    assert page[2].strip().startswith("2  ticket.requested  WrongValue  priority: is …; expected ")
    assert "by source" in page
    page = command("dlq", "list", "--summary", "--limit", "1").page
    assert page.count("... (1 more; --limit shows them)") == 2
    assert command("dlq", "list", "--summary", "--tenant", "x").out == "No dead letter fits.\n"


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


def test_the_place_of_a_fault_in_an_event_is_marked_in_its_data(command: Command) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "portal", "type": "t"}
    coded = base64.b64encode(json.dumps(request(title="ab")).encode()).decode()
    headers = [("content-type", b"application/cloudevents+json")]
    command.handle(
        event | {"title": "outside", "data": request(title="ab")},
        event | {"data_base64": coded},
        {"id": "1"},
        headers=headers,
    )
    for offset, line in (
        (0, f'    "title": "ab",   <-- {WHY}'),
        (1, f'  "title": "ab"   <-- {WHY}'),
    ):
        out = command("dlq", "show", f"ticket.requested:0:{offset}").out
        *_, marked = [each for each in out.splitlines() if "<--" in each]
        assert marked.replace(",", "").strip() == line.replace(",", "").strip()
    assert "data, decoded from data_base64" in command("dlq", "show", "ticket.requested:0:1").out
    assert "<-- source: is missing" in command("dlq", "show", "ticket.requested:0:2").out


def test_a_page_says_who_the_request_would_be(with_letters: Command) -> None:
    page = with_letters("dlq", "show", "ticket.requested:0:0").page
    assert "identity  request id r-1 of tenant north" in page
    (letter,) = with_letters("dlq", "show", "ticket.requested:0:0", "--json").json
    assert letter["identity"] == {
        "form": "request_id",
        "name": "request id r-1",
        "tenant_id": "north",
    }
    assert letter["steps"] == []
    assert letter["later_changes"] is None


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


def discard(command: Command, *words: str) -> Done:
    return command("dlq", "discard", *words, "--reason", "sent by a test", "--yes")


def test_a_letter_is_discarded_with_its_reason(with_letters: Command) -> None:
    done = discard(with_letters, "ticket.requested:0:0", "--by", "ops")
    assert done.code == 0
    assert done.page == [
        "id  outcome  why",
        "ticket.requested:0:0  discarded  -",
        "Discarded: 1 of 1 letter (1 discarded).",
    ]
    assert "reason: sent by a test" in done.err
    page = with_letters("dlq", "show", "ticket.requested:0:0").page
    assert "1  TIME (AGE)  ops  discarded  -  sent by a test" in [line.strip() for line in page]
    again = discard(with_letters, "ticket.requested:0:0")
    assert again.code == 1
    assert "it was discarded by ops at " in again.out


def test_a_group_is_discarded_and_decided_ones_are_not_in_it(with_letters: Command) -> None:
    discard(with_letters, "ticket.requested:0:0")
    done = discard(with_letters, "--all", "--json")
    assert [each["id"][-1] for each in done.json["letters"]] == ["1", "2"]
    assert ids(with_letters, "--state", "dead") == []
    assert discard(with_letters, "--all").out == "No dead letter fits.\n"


def test_a_dry_run_discards_nothing(with_letters: Command) -> None:
    done = discard(with_letters, "--tenant", "north", "--dry-run")
    assert done.page[-1] == "Would be discarded: 1 of 1 letter (1 discarded)."
    assert len(ids(with_letters, "--state", "dead")) == 3
    (letter,) = with_letters("dlq", "show", "ticket.requested:0:0", "--json").json
    assert letter["steps"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--all"], "Why? Give --reason with a text of 1 to 1,000 characters."),
        (["--all", "--reason", " "], "Why? Give --reason"),
        (["--reason", "x"], "Which dead letters? Give ids, filters such as --since 2h, or --all."),
        (["--reason", "x", "--state", "discarded"], "somebody has decided about these"),
        (["--reason", "x", "--all", "--by", "a\nb"], "is no name"),
    ],
)
def test_discarding_wrongly_is_one_sentence(
    with_letters: Command, words: list[str], sentence: str
) -> None:
    done = with_letters("dlq", "discard", "--yes", *words)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert len(ids(with_letters, "--state", "dead")) == 3
