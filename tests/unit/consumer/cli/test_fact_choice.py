"""Words of the command line, and the filter that they mean."""

import shlex
from datetime import UTC, datetime

import pytest

from consumer.cli.fact_choice import meant, told, words
from consumer.cli.failures import CommandFailed
from consumer.cli.outages import sentence_of
from consumer.cli.republish_plan import cursor_text, parse_cursor
from db.past_facts import Filter, Position

SUBJECT = "00000000-0000-4000-8000-000000000000"
AT = datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)


def test_a_topic_means_all_of_its_types() -> None:
    assert meant("ticket.created") == ["ticket.created"]
    assert {"ticket.rated", "ticket.reopened"} < set(meant("ticket.updated"))
    with pytest.raises(CommandFailed, match=r"did you mean ticket\.escalated\?"):
        meant("ticket.escalatd")


@pytest.mark.parametrize(
    ("wanted", "options"),
    [
        (Filter(), "--all"),
        (
            Filter(types=("a", "b"), tenant_id="acme", since=AT),
            "--type a --type b --tenant acme --since 2026-01-01T12:00:00.000005+00:00",
        ),
        (
            Filter(subject=("acme", SUBJECT), tenant_id="acme", until=AT),
            f"--ticket {SUBJECT} --tenant acme --until 2026-01-01T12:00:00.000005+00:00",
        ),
    ],
)
def test_a_filter_is_told_in_words_that_mean_the_same_tomorrow(
    wanted: Filter, options: str
) -> None:
    assert shlex.join(words(wanted)) == options
    assert len(list(told(wanted))) == sum(
        each is not None
        for each in (
            wanted.types,
            wanted.subject or wanted.tenant_id,
            wanted.since,
            wanted.until,
        )
    )


def test_a_cursor_is_read_as_it_was_told() -> None:
    cursor = Position(4_711, "acme.north-1_x", SUBJECT, 3)
    assert parse_cursor(str(cursor_text(cursor))) == cursor
    assert cursor_text(None) is None


@pytest.mark.parametrize("text", ["", "1:acme:x:1", f"1:acme:{'-' * 36}:1", f"a:b:{SUBJECT}:1"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CommandFailed, match="--resume is"):
        parse_cursor(text)


def test_an_outage_is_told_in_a_sentence() -> None:
    lost = {"event": "dependency.lost", "dependency": "kafka", "reason": "OSError: gone"}
    assert sentence_of(lost) == "Kafka does not answer (OSError: gone): waiting until it does."
    back = {"event": "dependency.recovered", "dependency": "database", "down_seconds": 4.4}
    assert sentence_of(back) == "The database answers again, after 4 s."
    assert sentence_of({"event": "lease.taken"}) is None
