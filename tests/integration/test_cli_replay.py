"""`ticketing replay` on real Kafka and PostgreSQL: what is new is decided, the rest stays."""

from typing import Any

import pytest

from consumer.replay_tally import COUNTS
from devstack.topics import delete_topics
from tests.integration.command import Command
from tests.integration.replay_stage import TRACES, ReplayStage
from tests.records import NOON_MS
from tests.scenarios.messages import (
    Message,
    change_requested,
    customer,
    party_id,
    requested,
)

pytestmark = pytest.mark.integration

FORBIDDEN: dict[str, Any] = {"target_type": "platform"}
TOO_LONG = 4_000
LETTERS = 'SELECT "offset", state, outcome FROM dead_letters ORDER BY topic, partition, 1'


@pytest.fixture
def stage(kafka_command: Command) -> ReplayStage:
    """Topics with two partitions each, in which Anna is announced."""
    assert kafka_command("topics", "--partitions", "2").code == 0
    made = ReplayStage(kafka_command)
    made.publish(customer("Anna"))
    made.handle()
    return made


def long(number: int, partition: int = 0) -> Message:
    """A request whose value has more than TOO_LONG bytes."""
    made = requested(number, description="d" * TOO_LONG)
    return Message(made.value, made.key, partition=partition)


def on(partition: int, message: Message) -> Message:
    return Message(message.value, message.key, message.headers, message.topic, partition)


def test_replaying_everything_changes_nothing(stage: ReplayStage) -> None:
    stage.publish(*(requested(number) for number in range(50)), requested(1))
    stage.handle()
    before, offsets = stage.tables(), stage.offsets()
    done = stage.replay("--all")
    assert done.code == 0
    assert done.json["counts"] == dict.fromkeys(COUNTS, 0) | {
        "scanned": 51,
        "matched": 51,
        "duplicate": 51,
    }
    assert done.json["complete"]
    assert done.json["new"] == []
    assert stage.tables() == before
    assert stage.offsets() == offsets
    ((actor, kept, is_finished),) = stage.ask(
        "SELECT actor, filter::text, finished_at >= started_at FROM replays"
    )
    assert (actor, is_finished) == ("ops", True)
    assert kept == '{"include_unread": false, "retry_rejected": false}'


def test_a_letter_that_can_be_read_by_now_is_resolved(stage: ReplayStage) -> None:
    stage.publish(long(1), on(0, Message(b"not json")), on(0, requested(2)))
    stage.handle(max_record_bytes=TOO_LONG)
    assert stage.ask(LETTERS) == [(0, "dead", None), (1, "dead", None)]
    done = stage.replay("--all")
    assert done.code == 1
    counts = {name: number for name, number in done.json["counts"].items() if number}
    assert counts == {
        "scanned": 3,
        "matched": 3,
        "created": 1,
        "duplicate": 1,
        "still_failing": 1,
        "resolved_letters": 1,
    }
    created, failing = done.json["new"]
    assert created["record"] == f"{stage.topic()}:0:0"
    assert created["outcome"] == "created"
    assert created["what"].startswith("TCK-")
    assert failing["record"] == f"{stage.topic()}:0:1"
    assert "JSON" in failing["what"]
    assert stage.ask(LETTERS) == [(0, "resolved_by_replay", "created"), (1, "dead", None)]
    steps = stage.ask("SELECT actor, state, outcome, reason FROM dead_letter_steps")
    assert steps == [("ops", "resolved_by_replay", "created", None)]
    assert stage.counts("--all")["duplicate"] == 2


def test_what_was_discarded_or_edited_stays_as_it_is(stage: ReplayStage) -> None:
    stage.publish(*(long(number) for number in range(4)))
    stage.handle(max_record_bytes=TOO_LONG)
    states = ("discarded", "redriven", "redriven", "failed_again")
    for offset, state in enumerate(states):
        stage.ask(
            """UPDATE dead_letters SET state = $1, outcome = $2 WHERE "offset" = $3""",
            *(state, "rejected" if state == "redriven" else None, offset),
        )
    stage.ask(
        """INSERT INTO dead_letter_steps SELECT topic, partition, "offset", record_timestamp, 1,
            now(), 'ops', state, outcome, NULL, 'edited' FROM dead_letters WHERE "offset" = 1"""
    )
    assert stage.counts("--all") == {
        "scanned": 4,
        "matched": 4,
        "created": 1,
        "duplicate": 3,
        "resolved_letters": 1,
    }
    assert stage.counts("--all", "--retry-rejected") == {
        "scanned": 4,
        "matched": 4,
        "created": 1,
        "duplicate": 3,
        "resolved_letters": 1,
    }
    assert [row[1:] for row in stage.ask(LETTERS)] == [
        ("discarded", None),
        ("redriven", "rejected"),
        ("resolved_by_replay", "created"),
        ("resolved_by_replay", "created"),
    ]


def test_a_discarded_party_stays_discarded(stage: ReplayStage) -> None:
    stage.publish(customer("Ben", note="-" * 200), customer("Carl", note="-" * 200))
    stage.handle(max_record_bytes=200)
    stage.ask(f"UPDATE dead_letters SET state = 'discarded' WHERE key = '{party_id('Ben')}'")  # noqa: S608
    counts = stage.counts("--topic", "customer.changed")
    assert counts["resolved_letters"] == counts["changed"] == 1
    assert stage.ask("SELECT name FROM customers ORDER BY 1") == [("Anna",), ("Carl",)]


def test_a_rejection_is_decided_anew_only_where_that_is_asked_for(stage: ReplayStage) -> None:
    stage.publish(
        requested(1, customer_id=party_id("Ben")), requested(2, **FORBIDDEN), requested(3)
    )
    stage.handle(unknown_customer_grace_seconds=0)
    stage.publish(customer("Ben"))
    stage.handle()
    assert stage.counts("--all")["duplicate"] == 3
    facts = stage.ask("SELECT count(*) FROM ticket_facts")
    done = stage.replay("--all", "--retry-rejected")
    assert done.code == 0
    counts = {name: number for name, number in done.json["counts"].items() if number}
    assert counts == {
        "scanned": 3,
        "matched": 3,
        "created": 1,
        "duplicate": 1,
        "still_rejected": 1,
    }
    assert stage.ask("SELECT count(*) FROM ticket_facts") == [(facts[0][0] + 1,)]
    assert stage.counts("--all", "--retry-rejected")["duplicate"] == 2


def test_a_letter_that_is_rejected_stays_to_be_retried(stage: ReplayStage) -> None:
    """Refused once more nothing is told of it, so that the next retry finds it as it was."""
    ben = requested(1, customer_id=party_id("Ben"), description="d" * TOO_LONG)
    stage.publish(ben)
    stage.handle(max_record_bytes=TOO_LONG)
    assert stage.counts("--all")["rejected"] == 1
    assert [row[1:] for row in stage.ask(LETTERS)] == [("resolved_by_replay", "rejected")]
    assert stage.counts("--all")["duplicate"] == 1
    assert stage.counts("--all", "--retry-rejected")["still_rejected"] == 1
    assert [row[1:] for row in stage.ask(LETTERS)] == [("resolved_by_replay", "rejected")]
    stage.publish(customer("Ben"))
    stage.handle()
    assert stage.counts("--all", "--retry-rejected")["created"] == 1
    assert [row[1:] for row in stage.ask(LETTERS)] == [("resolved_by_replay", "created")]


def test_a_change_finds_the_ticket_that_the_same_replay_opens(stage: ReplayStage) -> None:
    """Whatever the names of the topics and the order of their records."""
    stage.publish(*(long(number, partition=number % 2) for number in range(6)))
    stage.handle(max_record_bytes=TOO_LONG)
    number = stage.counts("--all", "--dry-run")["created"]
    assert number == 6
    opened = stage.replay("--all", "--dry-run").json["new"][0]
    stage.publish(change_requested("add_message", opened["ticket_id"], body="Any news?"))
    stage.handle()
    assert stage.counts("--all", "--retry-rejected") == {
        "scanned": 7,
        "matched": 7,
        "created": 6,
        "changed": 1,
        "resolved_letters": 6,
    }


def test_all_that_is_named_must_fit(stage: ReplayStage) -> None:
    ben = Message(requested(5, tenant_id="south").value, b"\x00\xff", partition=1)
    stage.publish(
        *(on(0, requested(number)) for number in range(4)),
        ben,
        on(1, requested(5)),
        on(1, Message(b'{"tenant_id": "south", "request_id": "request-5"}')),
        on(1, Message(b"[]")),
        Message(b"\xff", b"\x00\xff", partition=0).on("ticket.change_requested"),
    )
    stage.handle()
    topic = stage.topic()

    def matched(*words: str) -> int:
        return stage.counts("--dry-run", *words).get("matched", 0)

    assert matched("--all") == 9
    assert matched("--topic", "ticket.requested") == 8
    assert matched("--topic", topic, "--topic", "ticket.change_requested") == 9
    assert matched("--partition", "1") == 4
    place = ("--topic", topic, "--partition", "0")
    assert matched(*place, "--from-offset", "1") == 3
    assert matched(*place, "--from-offset", "1", "--to-offset", "2") == 2
    assert matched(*place, "--from-offset", "9") == 0
    assert matched("--key", "hex:00ff") == 2
    assert matched("--key", party_id("Anna")) == 5
    assert matched("--request-id", "request-5") == 3
    assert matched("--request-id", "request-5", "--tenant", "south") == 2
    assert matched("--tenant", "south") == 2
    assert matched("--tenant", "south", "--key", "hex:00ff") == 1
    assert matched("--since", "1h") == 9
    assert matched("--until", "1h") == 0
    assert matched("--since", "1h", "--tenant", "north", "--partition", "0") == 4


def test_times_are_of_records_whatever_their_order(stage: ReplayStage) -> None:
    """A topic may hold a younger record before an older one."""
    world_times = [NOON_MS + at for at in (0, 5, 2, 9, 4, 7)]
    stage.publish_at(0, [(at, requested(number)) for number, at in enumerate(world_times)])
    stage.handle()

    def requests(since_ms: int, until_ms: int) -> list[int]:
        def moment(ms: int) -> str:
            return f"2026-03-01T12:00:00.{ms:03}+00:00"

        words = ("--since", moment(since_ms), "--until", moment(until_ms))
        stage.replay("--dry-run", *words)
        counts = stage.counts("--dry-run", *words)
        return [counts.get("matched", 0), counts.get("scanned", 0)]

    assert requests(0, 10) == [6, 6]
    assert requests(4, 8) == [3, 5]
    assert requests(5, 6) == [1, 5]
    assert requests(8, 9) == [0, 3]
    assert requests(10, 11) == [0, 0]


def test_a_dry_run_leaves_no_trace(stage: ReplayStage) -> None:
    stage.publish(
        long(1),
        Message(b"not json"),
        requested(2, **FORBIDDEN),
        requested(3, customer_id=party_id("Ben")),
    )
    stage.handle(max_record_bytes=TOO_LONG, unknown_customer_grace_seconds=0)
    stage.publish(customer("Ben"))
    stage.handle()
    before, offsets = stage.tables(), stage.offsets()
    done = stage.replay("--all", "--retry-rejected", "--dry-run")
    assert {name: number for name, number in done.json["counts"].items() if number} == {
        "scanned": 4,
        "matched": 4,
        "created": 2,
        "still_rejected": 1,
        "still_failing": 1,
        "resolved_letters": 1,
    }
    assert done.json["replay_id"] is None
    assert stage.tables() == before
    assert stage.offsets() == offsets
    for table in TRACES:
        assert stage.ask(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  names of ours
    told = stage.command("replay", "--all", "--dry-run")
    assert "no batch could see what an earlier one" in told.err


def test_what_the_group_has_not_read_is_left_to_it(stage: ReplayStage) -> None:
    stage.publish(requested(1))
    stage.handle()
    stage.publish(requested(2), requested(3, customer_id=party_id("Ben")))
    done = stage.replay("--all")
    assert (done.json["counts"]["scanned"], done.json["unread"]) == (1, 2)
    assert "left out: 2 offsets that the group" in done.err
    done = stage.replay("--all", "--include-unread")
    assert "included: 2 offsets" in done.err
    assert done.json["counts"] == dict.fromkeys(COUNTS, 0) | {
        "scanned": 3,
        "matched": 3,
        "created": 1,
        "rejected": 1,
        "duplicate": 1,
    }
    before = stage.tables()
    stage.handle()
    assert stage.tables() == before


def test_parties_are_replayed_only_by_name_and_older_words_count_for_nothing(
    stage: ReplayStage,
) -> None:
    stage.publish(customer("Anna", tier="gold", updated_at="2026-01-02T00:00:00Z"))
    stage.publish(customer("Anna", tier="silver", updated_at="2026-01-01T00:00:00Z"))
    stage.handle()
    assert stage.counts("--all") == {}
    before = stage.tables()
    assert stage.counts("--topic", "customer.changed") == {
        "scanned": 3,
        "matched": 3,
        "unchanged": 3,
    }
    assert stage.tables() == before
    stage.ask("DELETE FROM customers")
    assert stage.counts("--topic", "customer.changed")["changed"] >= 1
    assert stage.ask("SELECT count(*) FROM customers") == [(1,)]


def test_a_record_of_a_topic_made_anew_is_another(stage: ReplayStage) -> None:
    stage.publish(on(0, Message(b"not json")))
    stage.handle()
    delete_topics(stage.settings.kafka_bootstrap_servers, prefix=stage.topic())
    assert stage.command("topics", "--partitions", "2").code == 0
    stage.publish(on(0, requested(1)))
    assert stage.counts("--all", "--include-unread")["created"] == 1
    assert stage.ask(LETTERS) == [(0, "dead", None)]


def test_what_was_decided_and_can_not_be_read_any_more_is_no_dead_letter(
    stage: ReplayStage,
) -> None:
    stage.publish(
        long(1),
        requested(2, description="d" * TOO_LONG, **FORBIDDEN),
        long(3),
    )
    stage.handle()
    stage.ask("DELETE FROM requests WHERE ticket_id = (SELECT max(id::text)::uuid FROM tickets)")
    stage.command.environment["MAX_RECORD_BYTES"] = str(TOO_LONG)
    assert stage.counts("--all") == {
        "scanned": 3,
        "matched": 3,
        "duplicate": 2,
        "dead_lettered": 1,
    }
    assert stage.counts("--all", "--retry-rejected") == {
        "scanned": 3,
        "matched": 3,
        "duplicate": 1,
        "still_failing": 2,
    }


def test_gaps_and_aborted_records_are_passed_over_to_the_end(stage: ReplayStage) -> None:
    stage.publish_transactions(requested(1), requested(2), requested(3))
    stage.handle()
    done = stage.replay("--all")
    assert done.json["counts"]["scanned"] == 2
    positions = stage.ask(
        "SELECT next_offset = end_offset, sum(end_offset) FROM replay_positions GROUP BY 1"
    )
    assert positions == [(True, 8)]


def test_a_table_says_what_became_of_the_records(stage: ReplayStage) -> None:
    stage.publish(on(0, long(1)), on(0, requested(2)))
    stage.handle(max_record_bytes=TOO_LONG)
    done = stage.command("replay", "--topic", "ticket.requested", "--tenant", "north", "--yes")
    assert done.code == 0
    topic = stage.topic()
    assert done.page == [
        f"{topic}:0:0  created  TCK-NUMBER",
        "records  number",
        "scanned  2",
        "matched  2",
        "created  1",
        "changed  0",
        "unchanged  0",
        "duplicate  1",
        "still rejected  0",
        "rejected  0",
        "dead lettered  0",
        "still failing  0",
        "resolved letters  1",
        "Replay UUID is done.",
    ]
    assert done.err.splitlines() == [
        f"brokers: {stage.settings.kafka_bootstrap_servers}",
        done.err.splitlines()[1],
        "tenant: north",
        f"{topic}: 2 offsets in 2 partitions to scan",
        "rejected: records that were rejected stay rejected",
    ]
    assert done.err.splitlines()[1].startswith("database: 127.0.0.1:")
    nobody = stage.command("replay", "--topic", "ticket.requested")
    assert (nobody.code, nobody.out) == (2, "")
    assert "--yes" in nobody.err


def test_a_batch_holds_so_many_records(stage: ReplayStage) -> None:
    stage.publish(*(on(0, requested(number)) for number in range(25)))
    stage.handle()
    stage.command.environment["BATCH_RECORDS"] = "4"
    assert stage.counts("--all")["duplicate"] == 25
    assert stage.counts("--all", "--rate", "100")["duplicate"] == 25


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name what to replay"),
        (("--all", "--key", "x"), "Name what to replay"),
        (("--key", "hex:0"), "--key: 'hex:0' is no key; write its text, or hex: and pairs"),
        (("--since", "yesterday"), "--since: 'yesterday' is not a time"),
        (("--until", "2026-01-01T00:00:00"), "--until: '2026-01-01T00:00:00' has no offset"),
        (("--since", "1h", "--until", "2h"), "--since is not before --until"),
        (("--from-offset", "1"), "Offsets are of one partition"),
        (("--to-offset", "1", "--topic", "ticket.requested"), "Offsets are of one partition"),
        (
            *(("--to-offset", "1", "--partition", "0", "--topic", "a", "--topic", "b"),),
            "Offsets are of one partition",
        ),
        (
            *(
                (
                    *("--from-offset", "2", "--to-offset", "1", "--partition", "0"),
                    *("--topic", "ticket.requested"),
                ),
            ),
            "--from-offset is behind --to-offset",
        ),
        (("--topic", "ticket.created"), "--topic: 'ticket.created' is no topic that the service"),
        (("--topic", "ticket.requested.dlq"), "is no topic that the service reads"),
        (("--resume", "42"), "--resume: '42' is no replay; give the id"),
        (("--resume", "x", "--tenant", "north"), "--resume goes on with what the replay was begun"),
        (("--resume", "x", "--dry-run"), "--resume goes on with what the replay was begun"),
        (("--all", "--by", " "), "--by ' ' is no name"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    command: Command, words: tuple[str, ...], sentence: str
) -> None:
    done = command("replay", *words)
    assert done.code == 2
    assert sentence in done.err
    assert done.out == ""


def test_what_is_not_there_is_told_in_a_sentence(stage: ReplayStage) -> None:
    missing = stage.command("replay", "--topic", "ticket.requested", "--partition", "7")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == f"There is no partition 7 of {stage.topic()}.\n"
    unknown = "00000000-0000-4000-8000-000000000000"
    none = stage.command("replay", "--resume", unknown)
    assert (none.code, none.err) == (1, f"There is no replay {unknown}.\n")
    stage.publish(requested(1))
    stage.handle()
    finished = stage.replay("--all").json["replay_id"]
    again = stage.command("replay", "--resume", finished)
    assert (again.code, again.err) == (1, f"Replay {finished} is finished: begin a new one.\n")
    delete_topics(stage.settings.kafka_bootstrap_servers, prefix=stage.topic())
    gone = stage.command("replay", "--topic", "ticket.requested")
    assert (gone.code, gone.err) == (1, f"Kafka has no topic {stage.topic()}.\n")


def test_kafka_that_is_away_is_told_in_a_sentence(command: Command) -> None:
    away = command("replay", "--all", "--yes")
    assert away.code == 1
    assert away.err.splitlines()[-1].startswith("Kafka at 127.0.0.1:1 can't be used")


def test_nothing_to_scan_is_no_failure(stage: ReplayStage) -> None:
    done = stage.command("replay", "--all")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "There was nothing to scan."
    assert stage.ask("SELECT count(*) FROM replays") == [(0,)]


def test_a_replay_goes_on_where_it_stopped_but_not_in_a_topic_made_anew(
    stage: ReplayStage,
) -> None:
    stage.publish(*(on(0, requested(number)) for number in range(10)))
    stage.handle()
    replay_id = stage.replay("--all").json["replay_id"]
    stage.ask("UPDATE replays SET finished_at = NULL")
    stage.ask("UPDATE replay_positions SET next_offset = 4 WHERE end_offset = 10")
    done = stage.replay("--resume", replay_id)
    assert done.code == 0
    assert f"replay: {replay_id}, from where it stopped" in done.err
    assert done.json["counts"]["scanned"] == 16
    stage.ask("UPDATE replays SET finished_at = NULL")
    stage.ask("UPDATE replay_positions SET next_offset = 4 WHERE end_offset = 10")
    delete_topics(stage.settings.kafka_bootstrap_servers, prefix=stage.topic())
    assert stage.command("topics", "--partitions", "2").code == 0
    refused = stage.command("replay", "--resume", replay_id, "--yes")
    assert refused.code == 1
    assert refused.err.endswith("the topic was made anew. Begin a new replay.\n")
