"""What the demo shows, character for character: in a terminal of 80 columns, piped, uncoloured."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from consumer.audit import Report
from consumer.cli.outcome import Story
from db.ticket_reading import Fact
from examples.demo import screen
from examples.demo.burst import Latency, Measured
from examples.demo.mixed import Row
from examples.demo.service_levels import Published, Watched
from handlers.record import StoredRecord
from schemas.vocabulary import Outcome

PAGES = Path(__file__).with_name("pages")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = "TCK-0123456789AB"


def row(value: bytes | None, outcome: Outcome | None = None, **told: object) -> Row:
    record = StoredRecord("ticket.requested", 0, 0, 0, None, value, ())
    if outcome is None:
        return Row(record)
    return Row(record, Story(outcome, "north", None, NOW, **told))  # type: ignore[arg-type]


def titled(title: str, outcome: Outcome | None = None, **told: object) -> Row:
    return row(json.dumps({"title": title}).encode(), outcome, **told)


def changed(request_id: str, outcome: Outcome | None = None, **told: object) -> Row:
    return row(json.dumps({"request_id": request_id}).encode(), outcome, **told)


def fact(sequence: int, ce_type: str, cause: str, **changes: object) -> Fact:
    values = {name: {"from": None, "to": value} for name, value in changes.items()}
    return Fact(sequence, ce_type, NOW, cause, None, {"changes": values}, False, None)  # noqa: FBT003


FACTS = (
    fact(1, "ticket.created", "portal-1"),
    fact(2, "ticket.escalated", "c-1", escalation_level=1, team="\x1b[1mnet", escalated_at="now"),
    fact(3, "ticket.assigned", "c-1", assigned_to_user_id=None),
)
TICKET = {"ticket_number": NUMBER}
ROWS = [
    titled("Modem restarts every night", Outcome.CREATED, ticket=TICKET),
    titled("Modem restarts every night", Outcome.DUPLICATE, ticket=TICKET),
    titled("Its customer is late", Outcome.PARKED, why="waits for its customer"),
    titled("So is this one's", Outcome.DUPLICATE),
    titled(
        "A title that is a good deal longer than the column is wide",
        Outcome.REJECTED,
        why="Customer actors cannot open tickets targeting platform.",
    ),
    row(b'{"title": "cut o', Outcome.DEAD_LETTERED, why="value: is not JSON; expected JSON"),
    row(b"\xff\xfe[1;31m", Outcome.DEAD_LETTERED, why="value: is not UTF-8; expected UTF-8"),
    titled("接続が遅い 🐌 مرحبا"),
    titled("Right\u202etfel ot\u202c, \x1b[1mbold\x1b[0m, a\nline, zero\u200bwidth"),
    titled("[bold]no markup[/bold]"),
    row(None),
]
REPORT = Report(
    records=1_045,
    outcomes={"created": 1_024, "duplicate": 3, "rejected": 7, "dead_lettered": 9, "applied": 2},
    tickets=1_024,
    tickets_published=1_024,
    facts=1_031,
    published=1_031,
    repeated=0,
    dead_letters=9,
    kept=0,
    waiting={},
    violations=(),
)
DUE_AT = "2026-03-01T12:00:03.004000+00:00"
CLOCK = {
    "metric": "resolution",
    "due_at": DUE_AT,
    "detection_lag_ms": 12,
    "target_seconds": 4,
    "paused_seconds": 0.96,
}
DUE_AGAIN = {"status": {"from": "waiting", "to": "open"}, "sla_due_date": {"from": 0, "to": DUE_AT}}
WAITING = {
    "status": {"from": "open", "to": "waiting"},
    "sla_due_date": {"from": DUE_AT, "to": None},
}
LEVELS: dict[int, tuple[str, dict[str, object]]] = {
    1: ("ticket.created", {"status": "open", "sla_due_date": DUE_AT}),
    2: ("sla.warning", {**CLOCK, "threshold_percent": 50}),
    4: ("ticket.status_changed", {"changes": DUE_AGAIN}),
    3: ("ticket.status_changed", {"changes": WAITING}),
    5: ("sla.breached", CLOCK),
    6: ("ticket.escalated", {"to": {"level": 1, "team": "\x1b[1mnet"}, "reason": "sla"}),
    7: ("ticket.message_added", {"changes": {}}),
}
TOLD = {sequence: Published(*fact) for sequence, fact in LEVELS.items()}
BROKEN = ("ticket.requested:0:4 has no recorded outcome.",)
PAGE: dict[str, RenderableType] = {
    "heading": screen.heading("2. Requests, good and bad"),
    "outcomes": screen.outcomes(ROWS),
    "legend": screen.legend(ROWS),
    "fact": screen.fact(
        "ticket.created",
        "6f1c7e0a-5a3b-5c1d-9a57-0d2b7e6f3c11",
        {"ce_id": "b7f0d3de", "ce_subject": NUMBER},
        '{"title":"Right\\u202eleft","context":{"a":[1,2]}}',
    ),
    "life": screen.life(
        [
            ("Agent hands it on", changed("c-1", Outcome.CHANGED, facts=FACTS)),
            ("Customer: make it urgent!", changed("c-2", Outcome.REJECTED, why="No\x1b[1m.")),
            ("Resolved once more", changed("c-3", Outcome.UNCHANGED)),
            ("Not decided yet", changed("c-4")),
        ]
    ),
    "service levels": screen.service_levels(
        [Watched("No connection\x1b[1m", "r-1", TOLD), Watched("Nothing is known", "r-2")]
    ),
    "figures": screen.figures(
        Measured(20_000, 1.25, Latency(812.4, 1_201.96, 1_240), Latency(2.31, 3.2, 4.44))
    ),
    "verdict": screen.verdict(REPORT),
    "broken promise": screen.verdict(
        Report(
            **{**{name: getattr(REPORT, name) for name in REPORT.__slots__}, "violations": BROKEN}
        )
    ),
}


def rendered(page: RenderableType, **options: object) -> str:
    output = StringIO()
    console = Console(file=output, width=80, highlight=False, legacy_windows=False, **options)  # type: ignore[arg-type]
    console.print(page)
    return "".join(line.rstrip() + "\n" for line in output.getvalue().splitlines())


@pytest.mark.parametrize("name", PAGE)
def test_a_page_looks_like_this_when_piped(name: str) -> None:
    expected = (PAGES / f"{name.replace(' ', '_')}.txt").read_text()
    assert rendered(PAGE[name], force_terminal=False) == expected


@pytest.mark.parametrize("name", PAGE)
def test_without_colour_a_terminal_shows_the_same_words(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = rendered(PAGE[name], force_terminal=True)
    assert "\x1b[3" not in shown
    assert plain(shown) == rendered(PAGE[name], force_terminal=False)


@pytest.mark.parametrize("name", PAGE)
def test_in_colour_a_terminal_shows_the_same_words(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = rendered(PAGE[name], force_terminal=True, color_system="standard")
    assert plain(shown) == rendered(PAGE[name], force_terminal=False)


def plain(shown: str) -> str:
    """Without the sequences that rich adds. Whatever is left of others' would show."""
    for code in ("0", "1", "2", "1;31", "1;32", "31", "32", "33", "35", "36"):
        shown = shown.replace(f"\x1b[{code}m", "")
    return "".join(line.rstrip() + "\n" for line in shown.splitlines())


def test_nothing_that_others_wrote_reaches_the_terminal_as_a_command() -> None:
    assert "\x1b" not in rendered(PAGE["outcomes"], force_terminal=False)
    assert "\u202e" not in rendered(PAGE["fact"], force_terminal=False)
