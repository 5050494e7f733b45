"""The page of `ticketing verify`: every finding has its heading, and the last line its verdict."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from consumer.audit import Report
from consumer.breach import MEANINGS, Breach, Violation
from consumer.cli.verify_page import WAITS, as_plain, print_page, verdict
from consumer.cli.verifying import Asked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = Asked(NOW, None, None)
AT_REST = {"unread": 0, "parked": 0, "facts": 0, "dead_letters": 0}
WELL = Report(
    records=3,
    outcomes={"created": 2, "dead_lettered": 1},
    tickets=2,
    tickets_published=2,
    facts=2,
    published=2,
    repeated=1,
    dead_letters=1,
    kept=0,
    waiting=AT_REST,
    violations=(),
)


def broken(*kinds: Breach) -> Report:
    found = tuple(Violation(kind, f"Finding {number}.") for number, kind in enumerate(kinds))
    return replace(WELL, violations=tuple(each.sentence for each in found), found=found)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (WELL, "The promise holds, and nothing is left to be done."),
        (
            replace(WELL, waiting={"unread": 1, "parked": 2, "facts": 1_000, "dead_letters": 0}),
            "The promise holds so far: 1 record unread, 2 requests parked, 1,000 facts to publish.",
        ),
        (
            replace(WELL, waiting={**AT_REST, "dead_letters": 1}),
            "The promise holds so far: 1 dead letter to pass on.",
        ),
        (broken(Breach.GAP), "The promise is broken: 1 violation."),
        (
            replace(broken(Breach.GAP, Breach.GAP), lost=20, losses=("20 records ...",)),
            "The promise is broken: 2 violations, 20 records deleted unread.",
        ),
    ],
)
def test_the_last_line_is_the_verdict(
    report: Report, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(report) == line
    print_page(EVERYTHING, report, 5)
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_what_the_broker_does_not_take_is_part_of_the_verdict() -> None:
    assert verdict(replace(WELL, kept=2)) == (
        "The promise holds; 2 that the broker does not take wait for people."
    )


def test_all_that_can_be_found_and_can_wait_has_its_words() -> None:
    assert MEANINGS.keys() == set(Breach)
    assert WAITS.keys() == AT_REST.keys()


def test_findings_are_grouped_and_only_some_of_each_kind_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_page(EVERYTHING, broken(Breach.GAP, Breach.NO_OUTCOME, *[Breach.GAP] * 3), 2)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-7:-1] == [
        "Records without a recorded outcome (1):",
        "Finding 1.",
        "Gaps in tickets' sequences (4):",
        "Finding 0.",
        "Finding 2.",
        "and 2 more; --json names all",
    ]


def test_programs_get_all_of_it() -> None:
    asked = Asked(NOW, NOW - timedelta(hours=1), None)
    plain = orjson.loads(orjson.dumps(as_plain(asked, broken(*[Breach.GAP] * 30))))
    assert plain["since"] == "2026-03-01T11:00:00+00:00"
    assert (plain["holds"], plain["is_at_rest"]) == (False, True)
    assert plain["outcomes"] == {"created": 2, "dead_lettered": 1}
    assert plain["violations"][29] == {"kind": "gap", "sentence": "Finding 29."}
    assert "found" not in plain


def test_the_window_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_page(Asked(NOW, NOW - timedelta(hours=2), NOW - timedelta(hours=1)), WELL, 5)
    first = capsys.readouterr().out.splitlines()[0]
    assert "from 2026-03-01T10:00:00Z (2h 00m ago) to 2026-03-01T11:00:00Z (1h 00m ago)" in first
