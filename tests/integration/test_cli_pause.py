"""`ticketing pause` and `ticketing resume`: one row, whoever asks and however often."""

import getpass
import json
import socket

import pytest

from tests.integration.command import Command

pytestmark = pytest.mark.integration

TOPIC = "p.ticket.requested"
WHY = ("--reason", "the portal\n sends  nonsense")


@pytest.fixture
def prefixed(command: Command) -> Command:
    command.environment["TOPIC_PREFIX"] = "p."
    return command


def test_a_topic_is_paused_once_and_resumed_once(prefixed: Command) -> None:
    done = prefixed("pause", "ticket.requested", *WHY)
    assert (done.code, done.page) == (
        0,
        [f"Paused {TOPIC}. When its records may go on: ticketing resume {TOPIC}"],
    )
    again = prefixed("pause", TOPIC, "--reason", "another", "--by", "Ben")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert again.code == 0
    assert again.page[0] == (
        f"{TOPIC} is paused already, by {who} since TIME (AGE), and nothing was changed."
        " The reason: the portal sends nonsense"
    )
    resumed = prefixed("resume", "ticket.requested")
    assert (resumed.code, resumed.page) == (
        0,
        [f"Resumed {TOPIC}, paused by {who} since TIME (AGE): the portal sends nonsense"],
    )
    again = prefixed("resume", TOPIC)
    assert (again.code, again.page) == (0, [f"{TOPIC} is not paused."])


def test_json_says_the_same(prefixed: Command) -> None:
    paused = prefixed("pause", TOPIC, *WHY, "--by", "Ben", "--json").json
    assert paused.pop("paused_at").endswith("+00:00")
    assert paused == {
        "topic": TOPIC,
        "reason": "the portal sends nonsense",
        "paused_by": "Ben",
        "is_ceiling": False,
        "is_new": True,
    }
    assert prefixed("pause", TOPIC, *WHY, "--json").json["is_new"] is False
    resumed = prefixed("resume", TOPIC, "--by", "Zoe", "--json").json
    assert (resumed["by"], [each["topic"] for each in resumed["resumed"]]) == ("Zoe", [TOPIC])
    assert prefixed("resume", TOPIC, "--by", "Zoe", "--json").json == {"resumed": [], "by": "Zoe"}


def test_all_are_resumed_at_once(prefixed: Command) -> None:
    for topic in ("ticket.requested", "customer.changed"):
        assert prefixed("pause", topic, *WHY).code == 0
    done = prefixed("resume", "--all")
    assert (done.code, [line.split()[1] for line in done.page]) == (
        0,
        ["p.customer.changed,", f"{TOPIC},"],
    )
    assert prefixed("resume", "--all").page == ["Nothing is paused."]


@pytest.mark.parametrize("word", ["pause", "resume"])
def test_a_topic_that_is_not_read_is_refused_with_those_that_are(
    prefixed: Command, word: str
) -> None:
    prefixed.environment["REQUEST_TOPICS"] = r"ticket.requested,^north\..+"
    done = prefixed(word, "ticket.requestd", *(WHY if word == "pause" else ()))
    assert done.code == 2
    assert done.err == (
        "The topic 'ticket.requestd' is none that the service reads; those are p.customer.changed,"
        " p.partner.changed, p.ticket.change_requested, p.ticket.requested,"
        " the pattern ^north\\..+.\n"
    )


def test_a_topic_that_a_pattern_means_can_be_paused(prefixed: Command) -> None:
    prefixed.environment["REQUEST_TOPICS"] = r"^north\..+"
    assert prefixed("pause", "north.tickets", *WHY, "--json").json["topic"] == "p.north.tickets"


def test_a_topic_that_is_not_read_any_more_can_be_resumed(prefixed: Command) -> None:
    prefixed.environment["REQUEST_TOPICS"] = "old.requests"
    assert prefixed("pause", "old.requests", *WHY).code == 0
    del prefixed.environment["REQUEST_TOPICS"]
    assert prefixed("resume", "p.old.requests").code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("pause", TOPIC, "--reason", " \n "), "--reason is empty"),
        (("pause", TOPIC, "--reason", "x" * 1_001), "give 1 to 1000 characters"),
        (("pause", TOPIC, *WHY, "--by", " "), "--by ' ' is no name"),
        (("resume",), "Give a TOPIC, or --all."),
        (("resume", TOPIC, "--all"), "Give a TOPIC, or --all."),
    ],
)
def test_wrong_use_is_explained(prefixed: Command, words: tuple[str, ...], sentence: str) -> None:
    done = prefixed(*words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


def test_status_lists_what_is_paused(prefixed: Command) -> None:
    prefixed.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    prefixed("pause", TOPIC, *WHY, "--by", "Ben")
    page = prefixed("status").page
    at = page.index("paused")
    assert page[at + 1 : at + 3] == [
        "topic  since  by  reason",
        f"{TOPIC}  TIME (AGE)  Ben  the portal sends nonsense",
    ]
    (shown,) = json.loads(prefixed("status", "--json").out)["paused"]
    assert (shown["topic"], shown["paused_by"]) == (TOPIC, "Ben")
