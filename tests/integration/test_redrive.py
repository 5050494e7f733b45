"""`ticketing dlq redrive`: dead letters decided again on real PostgreSQL, each once."""

import json
from pathlib import Path

import pytest

from tests.integration.command import Command
from tests.integration.letter_stage import NUMBER, TICKET, LetterStage, change
from tests.integration.test_cli_requests import request

UNKNOWN = "22222222-2222-4222-8222-222222222222"
EVENT = (("content-type", b"application/cloudevents+json"),)


@pytest.fixture
def stage(command: Command) -> LetterStage:
    made = LetterStage(command)
    made.know()
    return made


def test_each_outcome_is_told_and_kept(stage: LetterStage) -> None:
    stage.open_ticket()
    stage.bury(
        request(request_id="a"),
        request(request_id="b", target_type="platform"),
        request(request_id="a"),
        request(request_id="c", customer_id=UNKNOWN),
        request(request_id="d", title="ab"),
    )
    stage.bury(
        change("set_priority", priority="high"),
        change("set_priority", priority="high"),
        topic="ticket.change_requested",
    )
    why = "title: is 2 characters long; expected text of 3 to 255 characters"
    assert stage.told("--all") == [
        ("created", None),
        ("rejected", "route_not_allowed"),
        ("duplicate", None),
        ("parked", None),
        ("failed_again", why),
        ("changed", None),
        ("unchanged", None),
    ]
    assert stage.states() == [
        ("redriven", "created", 1),
        ("redriven", "rejected", 1),
        ("redriven", "duplicate", 1),
        ("redriven", "parked", 1),
        ("failed_again", None, 2),
        ("redriven", "changed", 1),
        ("redriven", "unchanged", 1),
    ]
    steps = stage.ask(
        "SELECT number, actor, state, outcome, reason, value FROM dead_letter_steps"
        ' ORDER BY "offset"'
    )
    assert steps[0] == (1, "ops", "redriven", "created", None, None)
    assert steps[4] == (1, "ops", "failed_again", None, why, None)
    assert stage.count("tickets") == 2
    assert stage.count("dead_letters") == 7


def test_the_page_says_what_became_of_each(stage: LetterStage) -> None:
    why = "title: is 2 characters long; expected text of 3 to 255 characters"
    first, second = stage.bury(request(request_id="a"), request(title="ab"))
    done = stage.redrive("--all")
    assert done.code == 1
    assert done.page == [
        "id  outcome  why",
        f"{second}  failed_again  {why}",
        f"{first}  created  -",
        "Redriven: 1 of 2 letters (1 created, 1 failed_again).",
    ]
    assert "database: " in done.err
    assert "letters: 2 (until " in done.err
    assert "2 x ticket.requested RecordTooLarge: value: is N bytes long" in done.err
    assert "by: ops" in done.err


def test_a_letter_is_redriven_by_its_id_and_all_are_done(stage: LetterStage) -> None:
    ids = stage.bury(request(request_id="a"), request(request_id="b"))
    done = stage.redrive(ids[1])
    assert done.code == 0, done.err
    assert stage.states() == [("dead", None, 1), ("redriven", "created", 1)]
    assert stage.redrive("--all").code == 0
    assert stage.redrive("--all").out == "No dead letter fits.\n"


def test_what_somebody_has_decided_about_is_left_alone(stage: LetterStage) -> None:
    first, second = stage.bury(request(request_id="a"), request(request_id="b"))
    stage.redrive(first)
    discarding = ("dlq", "discard", second, "--reason", "a test", "--yes", "--by", "eve")
    assert stage.command(*discarding).code == 0
    done = stage.redrive(first, second)
    assert done.code == 1
    assert "it was redriven by ops at " in done.out
    assert "(created)" in done.out
    assert "it was discarded by eve at " in done.out
    assert stage.count("tickets") == 1
    assert stage.count("dead_letter_steps") == 2


def test_what_failed_again_can_be_redriven_once_more(stage: LetterStage) -> None:
    (letter,) = stage.bury(request(title="ab"))
    assert stage.told(letter)[0][0] == "failed_again"
    assert stage.told(letter)[0][0] == "failed_again"
    assert stage.told(letter, "--set", "title=A line is down") == [("created", None)]
    assert stage.states() == [("redriven", "created", 3)]
    numbers = stage.ask("SELECT number FROM dead_letter_steps ORDER BY 1")
    assert numbers == [(1,), (2,), (3,)]


def test_a_dry_run_says_the_same_and_leaves_no_trace(stage: LetterStage) -> None:
    stage.open_ticket()
    stage.bury(
        request(request_id="a"),
        request(request_id="b", target_type="platform"),
        request(request_id="c", customer_id=UNKNOWN),
        request(request_id="d", title="ab"),
        request(request_id="a"),
    )
    stage.bury(
        change("add_message", body="Any news?"),
        change("add_message", body="Hello?"),
        topic="ticket.change_requested",
    )
    stage.bury({"customer_id": UNKNOWN, "tenant_id": "north"}, topic="customer.changed")
    before = stage.tables()
    would_be = stage.told("--all", "--dry-run")
    assert stage.tables() == before
    page = stage.redrive("--all", "--dry-run").page
    assert page[-1].startswith("Would be redriven: 7 of 8 letters (")
    assert stage.tables() == before
    assert stage.told("--all") == would_be


def test_an_edit_is_handled_in_place_of_the_value_and_kept(stage: LetterStage) -> None:
    (letter,) = stage.handle(request(request_id="a", priority="hgih", context={"floor": 3}))
    done = stage.redrive(letter, "--set", "priority=high", "--set", "context.room=12b")
    assert done.code == 0, done.out
    assert stage.ask("SELECT priority, context::text FROM tickets") == [
        ("high", '{"room": "12b", "floor": 3}')
    ]
    ((kept, handled),) = stage.ask(
        "SELECT d.value, s.value FROM dead_letters d, dead_letter_steps s"
    )
    assert json.loads(kept)["priority"] == "hgih"
    assert json.loads(handled)["priority"] == "high"
    page = stage.command("dlq", "show", letter).page
    assert 'step 1 edited priority: "hgih" -> "high"' in page
    assert 'step 1 edited context.room: null -> "12b"' in page
    (shown,) = stage.command("dlq", "show", letter, "--json").json
    assert shown["steps"][0]["edits"] == [
        {"path": "priority", "from": "hgih", "to": "high"},
        {"path": "context.room", "from": None, "to": "12b"},
    ]
    assert shown["steps"][0]["actor"] == "ops"


def test_one_edit_applies_to_many(stage: LetterStage) -> None:
    stage.handle(
        request(request_id="a", priority="hgih"),
        b"not json",
        request(request_id="b", priority="hgih", title="ab"),
    )
    told = stage.told("--all", "--set", "priority=high")
    assert [outcome for outcome, _ in told] == ["created", "skipped", "failed_again"]
    assert told[1][1].startswith("it can't be edited: its value is not JSON")
    assert [row[0] for row in stage.states()] == ["redriven", "dead", "failed_again"]
    (value,) = stage.ask("SELECT value FROM dead_letter_steps WHERE state = 'failed_again'")
    assert json.loads(value[0])["priority"] == "high"


def test_a_merge_patch_from_a_file(stage: LetterStage, tmp_path: Path) -> None:
    Path(tmp_path / "patch.json").write_text('{"title": "Two lines", "priority": null}')
    (letter,) = stage.handle(request(title="ab", priority="?"))
    assert stage.told(letter, "--patch", "patch.json") == [("created", None)]
    assert stage.ask("SELECT subject, priority FROM tickets") == [("Two lines", "normal")]


def test_the_data_of_a_structured_event_is_edited(stage: LetterStage) -> None:
    event = {"specversion": "1.0", "id": "7", "source": "portal", "type": "t"}
    (letter,) = stage.handle(
        event | {"data": request(request_id=None, priority="?")}, headers=EVENT
    )
    page = stage.command("dlq", "show", letter).page
    assert "identity  event 7 from portal of tenant north" in page
    (marked,) = [line for line in page if "<--" in line]
    assert marked.strip().startswith('"priority": "?"')
    assert stage.told(letter, "--set", "priority=low") == [("created", None)]
    again = stage.handle(event | {"data": request(request_id=None)}, headers=EVENT)
    assert stage.count("tickets") == 1, again


def test_an_edit_keeps_who_the_request_is(stage: LetterStage) -> None:
    (letter,) = stage.handle(request(request_id="a", title="ab"))
    stage.handle(request(request_id="a"))
    assert stage.told(letter, "--set", "title=A line is down") == [("duplicate", None)]


def test_another_identity_needs_a_word(stage: LetterStage, tmp_path: Path) -> None:
    (letter,) = stage.handle(request(request_id="a", title="ab"))
    before = stage.tables()
    mend = ("--set", "title=A line is down")
    for edit in (("--set", "request_id=b"), ("--set", "tenant_id=north")):
        done = stage.redrive(letter, *mend, *edit)
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert "--new-identity" in done.err
    Path(tmp_path / "new.json").write_text(json.dumps(request(request_id="b")))
    told = stage.told(letter, "--value-from", "new.json")
    assert told[0][0] == "skipped"
    assert "request_id" in told[0][1]
    assert stage.tables() == before
    stage.handle(request(request_id="a"))
    assert stage.told(letter, *mend, "--set", "request_id=b", "--new-identity") == [
        ("created", None)
    ]
    assert stage.ask("SELECT request_id FROM tickets ORDER BY 1") == [("a",), ("b",)]


def test_a_value_that_is_no_json_is_replaced_whole(stage: LetterStage, tmp_path: Path) -> None:
    (letter,) = stage.handle(b"not json")
    Path(tmp_path / "new.json").write_text(json.dumps(request()))
    new = ("--value-from", "new.json", "--new-identity")
    assert stage.told(letter, *new) == [("created", None)]
    page = stage.command("dlq", "show", letter).out
    assert "step 1 handled another value: {" in page
    assert page.rstrip().endswith("not json")


def test_the_identity_of_a_record_is_that_of_its_row(stage: LetterStage) -> None:
    """And dlq-* headers, which a record from a dead letter topic has, are ordinary headers."""
    headers = [
        *(("dlq-topic", b"ticket.requested"), ("dlq-partition", b"0"), ("dlq-offset", b"999")),
        *(("dlq-timestamp", b"1"), ("x", b"\xff"), ("", b""), ("null", None)),
    ]
    document = request(request_id=None)
    (letter,) = stage.bury(document, headers=headers)
    page = stage.command("dlq", "show", letter).page
    assert f"identity  record {letter} of tenant north" in page
    assert stage.told(letter) == [("created", None)]
    (row,) = stage.ask('SELECT topic, partition, "offset" FROM requests')
    assert row == ("ticket.requested", 0, int(letter.split(":")[-1]))
    stage.next_offset -= 1
    stage.handle(document, headers=headers)
    assert stage.count("tickets") == 1


@pytest.mark.parametrize("name", [{}, {"ticket_id": None, "ticket_number": NUMBER}])
def test_a_change_that_comes_too_late_needs_force(
    stage: LetterStage, name: dict[str, str | None]
) -> None:
    stage.open_ticket()
    document = change("set_priority", priority="high") | name
    (letter,) = stage.bury(document, topic="ticket.change_requested")
    stage.handle(change("set_priority", priority="urgent"), topic="ticket.change_requested")
    ((outcome, why),) = stage.told(letter)
    assert outcome == "skipped"
    assert why.startswith(
        "its ticket has moved on since: ticket.priority_changed by tenant agent-1 at "
    )
    assert why.endswith("--force redrives it all the same")
    assert stage.redrive(letter).code == 1
    page = stage.command("dlq", "show", letter).page
    told = "2  ticket.priority_changed  tenant agent-1  TIME (AGE)"
    assert told in [line.strip() for line in page]
    (shown,) = stage.command("dlq", "show", letter, "--json").json
    (later,) = shown["later_changes"]
    assert (later["sequence"], later["actor"]) == (2, {"type": "tenant", "id": "agent-1"})
    assert stage.told(letter, "--force") == [("changed", None)]
    assert stage.ask("SELECT priority FROM tickets") == [("high",)]


@pytest.mark.parametrize("name", [{"ticket_id": TICKET}, {"ticket_number": NUMBER}])
def test_a_broken_change_shows_what_came_later_too(
    stage: LetterStage, name: dict[str, str]
) -> None:
    stage.open_ticket()
    document = change("set_priority", priority="?", ticket_id=None) | name
    (letter,) = stage.handle(document, topic="ticket.change_requested")
    stage.handle(change("add_message", body="Hello?"), topic="ticket.change_requested")
    page = stage.command("dlq", "show", letter).page
    assert any("ticket.message_added" in line for line in page)


def test_facts_of_time_make_no_change_late(stage: LetterStage) -> None:
    stage.open_ticket()
    (letter,) = stage.bury(change("set_priority", priority="high"), topic="ticket.change_requested")
    stage.command.execute(
        """
        INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                                  occurred_at, data)
        SELECT tenant_id, subject_id, 2, outbox_id, 'sla.warning', ticket_id, now(),
               '{"sequence": 2}' FROM ticket_facts;
        INSERT INTO ticket_facts (tenant_id, subject_id, sequence, outbox_id, ce_type, ticket_id,
                                  occurred_at, data)
        SELECT tenant_id, subject_id, 3, outbox_id, 'ticket.status_changed', ticket_id, now(),
               '{"actor": {"type": "system", "id": null}}' FROM ticket_facts WHERE sequence = 1;
        UPDATE tickets SET sequence = 3
        """
    )
    assert stage.told(letter) == [("changed", None)]


@pytest.mark.parametrize("rate", ["1000", "1"], ids=["at once", "one by one"])
def test_a_tickets_own_letters_make_none_of_them_late(stage: LetterStage, rate: str) -> None:
    stage.open_ticket()
    stage.bury(
        change("add_message", body="One"),
        change("add_message", body="Two"),
        topic="ticket.change_requested",
    )
    assert stage.told("--all", "--rate", rate) == [("changed", None)] * 2
    assert stage.ask("SELECT body FROM ticket_messages ORDER BY sequence OFFSET 1") == [
        ("One",),
        ("Two",),
    ]


def test_a_topic_that_is_not_read_any_more_is_told(stage: LetterStage) -> None:
    (letter,) = stage.bury(request())
    stage.command.environment["REQUEST_TOPICS"] = "other"
    ((outcome, why),) = stage.told(letter)
    assert (outcome, why) == ("skipped", "ticket.requested is no topic that we read (any more)")
    assert stage.states() == [("dead", None, 1)]
    assert "identity" in stage.command("dlq", "show", letter).out


def test_the_rules_are_those_of_the_settings(stage: LetterStage) -> None:
    stage.bury(request(request_id="a"), request(request_id="b", customer_id=UNKNOWN))
    stage.command.environment |= {"TENANTS": "south"}
    assert stage.told("--all", "--dry-run") == [("rejected", "tenant_unknown")] * 2
    stage.command.environment |= {"TENANTS": "north", "CUSTOMER_CHECK": "off"}
    assert stage.told("--all", "--dry-run") == [("created", None)] * 2


def test_a_record_that_fails_for_a_reason_of_its_own_is_told_from_the_rest(
    stage: LetterStage,
) -> None:
    """The database refuses it; the others of its portion are created."""
    stage.command.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.subject LIKE 'poison%' THEN
            RAISE EXCEPTION 'no' USING ERRCODE = '22021';
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION refuse()
        """
    )
    bad = [request(request_id=f"bad-{n}", title=f"poison {n}") for n in range(25)]
    good = [request(request_id=f"good-{n}") for n in range(5)]
    stage.bury(*good[:2], *bad, *good[2:])
    dry = stage.told("--all", "--dry-run")
    told = stage.told("--all")
    assert told == dry
    outcomes = [outcome for outcome, _ in told]
    assert outcomes == ["created"] * 2 + ["failed_again"] * 25 + ["created"] * 3
    assert told[2][1] == (
        "value: can't be handled (SQLSTATE 22021); expected a request that the database can hold"
    )
    assert stage.count("tickets") == 5
    assert stage.count("dead_letter_steps") == 30


def test_what_another_transaction_undid_is_done_again(stage: LetterStage) -> None:
    """A deadlock with the service, say: PostgreSQL lets one of the two through."""
    stage.command.execute(
        """
        CREATE SEQUENCE tries;
        CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('tries') <= 3 THEN
            RAISE EXCEPTION 'no' USING ERRCODE = '40P01';
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER undo BEFORE INSERT ON dead_letter_steps FOR EACH ROW EXECUTE FUNCTION undo()
        """
    )
    stage.bury(request(request_id="a"), request(request_id="b"))
    assert stage.told("--all") == [("created", None)] * 2
    assert stage.count("tickets") == 2


def test_a_database_that_refuses_everything_is_told_and_nothing_is_done(
    stage: LetterStage,
) -> None:
    stage.bury(request())
    stage.command.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON dead_letter_steps
           FOR EACH ROW EXECUTE FUNCTION refuse()
        """
    )
    before = stage.tables()
    done = stage.redrive("--all")
    assert done.code == 1
    assert "can't be used: disk full" in done.err.splitlines()[-1]
    assert stage.tables() == before


def test_a_topic_that_is_bound_to_a_tenant_stays_so(command: Command) -> None:
    command.environment["REQUEST_TOPICS"] = r"^requests\.(?P<tenant>.+)"
    stage = LetterStage(command)
    stage.know()
    first, second = stage.bury(
        request(), request(request_id="b", tenant_id="south"), topic="requests.north"
    )
    assert stage.told(first, second) == [("created", None), ("rejected", "tenant_mismatch")]


def test_customers_come_before_what_needs_them(stage: LetterStage) -> None:
    stage.bury({"customer_id": UNKNOWN, "tenant_id": "north"}, topic="customer.changed")
    stage.bury(request(customer_id=UNKNOWN))
    assert stage.told("--all") == [("changed", None), ("created", None)]


@pytest.mark.parametrize(
    ("words", "picked"),
    [
        (["--key", "k1"], [0]),
        (["--key", "hex:6b31"], [0]),
        (["--topic", "ticket.change_requested"], [2]),
        (["--text", "LONG; expected at most"], [0, 1, 2]),
        (["--text", "nowhere"], []),
        (["--error", "RecordTooLarge", "--limit", "2"], [0, 1]),
        (["--all", "--limit", "1"], [0]),
        (["--since", "1h", "--tenant", "nobody"], []),
        (["--until", "1h"], []),
        (["--state", "failed_again"], []),
    ],
)
def test_a_group_is_chosen_by_filters(
    stage: LetterStage, words: list[str], picked: list[int]
) -> None:
    ids = [
        *stage.bury(request(request_id="a"), key=b"k1"),
        *stage.bury(request(request_id="b"), key=b"k2"),
        *stage.bury(change("add_message", body="x"), topic="ticket.change_requested"),
    ]
    done = stage.redrive(*words, "--dry-run", "--json")
    assert [each["id"] for each in done.json["letters"]] == [ids[number] for number in picked]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Which dead letters? Give ids, filters such as --since 2h, or --all."),
        (["ticket.requested:0:1", "--all"], "Give ids, or filters, not both."),
        (["ticket.requested:0:1", "--tenant", "x"], "Give ids, or filters, not both."),
        (["--all", "--tenant", "x"], "Give filters, or --all, not both."),
        (["--limit", "3"], "Which dead letters?"),
        (["nonsense"], "'nonsense' is not a record"),
        (["--all", "--set", "priority"], "has no =; write PATH=VALUE"),
        (["--all", "--set", "a..b=1"], "is no path"),
        (["--all", "--patch", "none.json"], "none.json can't be read"),
        (["--all", "--value-from", "none.json"], "none.json can't be read"),
        (["--all", "--new-identity"], "--new-identity goes with an edit"),
        (["--all", "--set", "request_id=x"], "give --new-identity"),
        (["--state", "redriven"], "somebody has decided about these"),
        (["--since", "2026-01-01"], "has no offset from UTC"),
        (["--key", "hex:0"], "is not hexadecimal"),
        (["--all", "--rate", "0"], "is not 0.01 or more"),
        (["--all", "--by", " "], "is no name"),
    ],
)
def test_wrong_use_is_one_sentence(stage: LetterStage, words: list[str], sentence: str) -> None:
    done = stage.command("dlq", "redrive", "--yes", *words)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_without_a_terminal_nothing_is_done_unasked(stage: LetterStage) -> None:
    (letter,) = stage.bury(request())
    before = stage.tables()
    done = stage.command("dlq", "redrive", letter)
    assert done.code == 2
    assert "--yes is needed" in done.err
    assert stage.tables() == before


def test_a_letter_that_is_not_there(stage: LetterStage) -> None:
    (letter,) = stage.bury(request())
    done = stage.redrive(letter, "ticket.requested:0:77")
    assert (done.code, done.err) == (1, "There is no dead letter ticket.requested:0:77.\n")
    assert stage.states() == [("dead", None, 1)]


def test_who_did_it_is_the_systems_user_unless_a_name_is_given(stage: LetterStage) -> None:
    (letter,) = stage.bury(request())
    assert stage.command("dlq", "redrive", letter, "--yes").code == 0
    ((actor,),) = stage.ask("SELECT actor FROM dead_letter_steps")
    user, _, host = actor.partition("@")
    assert user
    assert host


def test_the_topic_may_be_named_without_its_prefix(command: Command) -> None:
    command.environment["TOPIC_PREFIX"] = "p."
    stage = LetterStage(command)
    stage.know()
    (letter,) = stage.bury(request())
    assert letter.startswith("p.ticket.requested:")
    for words in ((letter.removeprefix("p."),), ("--topic", "ticket.requested")):
        assert stage.redrive(*words, "--dry-run").code == 0
    assert stage.told("--topic", "p.ticket.requested") == [("created", None)]


def test_json_tells_everything(stage: LetterStage) -> None:
    (letter,) = stage.bury(request(target_type="platform"))
    done = stage.redrive(letter, "--json")
    assert done.json == {
        "dry_run": False,
        "counts": {"rejected": 1},
        "letters": [
            {
                "id": letter,
                "record_timestamp": 1_750_000_000_000,
                "outcome": "rejected",
                "code": "route_not_allowed",
                "reason": "Customer actors cannot open tickets targeting platform.",
                "later_changes": [],
            }
        ],
    }
    assert done.code == 0
