"""What the demo shows. Everything shown was read back; text that others wrote is made harmless."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consumer.audit import Report
from consumer.cli.outcome import Story
from examples.demo.burst import Latency, Measured
from examples.demo.mixed import Row
from examples.demo.service_levels import Watched
from schemas.vocabulary import Outcome

STYLES: Final = {
    Outcome.CREATED: "green",
    Outcome.CHANGED: "green",
    Outcome.UNCHANGED: "cyan",
    Outcome.DUPLICATE: "cyan",
    Outcome.PARKED: "yellow",
    Outcome.REJECTED: "magenta",
    Outcome.DEAD_LETTERED: "red",
}
MEANINGS: Final = {
    Outcome.CREATED: "a ticket, and ticket.created for subscribers",
    Outcome.CHANGED: "a fact for each effect, on ticket.updated or ticket.escalated",
    Outcome.UNCHANGED: "as it was already: nothing is published",
    Outcome.DUPLICATE: "asked before: nothing changes",
    Outcome.PARKED: "its customer is unknown so far: it waits a while",
    Outcome.REJECTED: "refused by a rule, and ticket.rejected says why",
    Outcome.DEAD_LETTERED: "unreadable or invalid: kept whole, also on ticket.requested.dlq",
}
SLA_STYLES: Final = {
    "sla.warning": "yellow",
    "sla.breached": "red",
    "ticket.escalated": "magenta",
}
DERIVED: Final = ("_at", "_date", "_minutes")
"""The endings of fields that follow from others: left out where space is short."""

SUBJECT_WIDTH: Final = 34
LEVEL_WIDTH: Final = len("resolution: 4 s, paused for 1.0 s")
INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: str) -> str:
    """The text with everything invisible spelled out: nothing can hide or reorder what is shown."""
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in INVISIBLE else char
        for char in text
    )


def heading(text: str) -> RenderableType:
    return Text(f"\n{text}", style="bold")


def outcomes(rows: Sequence[Row]) -> RenderableType:
    """Each request, in the order in which they were sent, and what is on record about it."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("#", justify="right", style="dim")
    table.add_column("request", width=SUBJECT_WIDTH)
    table.add_column("outcome", min_width=max(map(len, STYLES)))
    table.add_column("ticket, or why not", overflow="fold")
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), _subject(row), *_told(row.story))
    return table


def _subject(row: Row) -> Text:
    subject = Text(harmless(row.subject))
    subject.truncate(SUBJECT_WIDTH, overflow="ellipsis")
    return subject


def _told(story: Story | None) -> tuple[Text, Text]:
    if story is None:
        return Text("...", style="dim"), Text()
    ticket = story.ticket["ticket_number"] if story.ticket else None
    match story.outcome:
        case Outcome.CREATED:
            about = Text(str(ticket))
        case Outcome.DUPLICATE:
            about = Text(f"of {ticket}" if ticket else "of a request that waits")
        case _:
            about = Text(harmless(story.why or ""))
    return Text(story.outcome, style=STYLES.get(story.outcome, "")), about


def legend(rows: Sequence[Row]) -> RenderableType:
    """The outcomes that occurred, how often, and what each means."""
    found = [row.story.outcome for row in rows if row.story is not None]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(justify="right")
    for outcome, meaning in MEANINGS.items():
        if count := found.count(outcome):
            table.add_row(
                str(count), Text(outcome, style=STYLES[outcome]), Text(meaning, style="dim")
            )
    return table


def life(steps: Sequence[tuple[str, Row]]) -> RenderableType:
    """Each change of a ticket, and the facts that it caused, or why it was refused."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("change")
    table.add_column("outcome")
    table.add_column("facts, or why not", overflow="fold")
    for label, row in steps:
        story = row.story
        if story is None:
            continue
        table.add_row(
            label, Text(story.outcome, style=STYLES.get(story.outcome, "")), _effects(row)
        )
    return table


def _effects(row: Row) -> Text:
    story = row.story
    if story is None or story.outcome is Outcome.REJECTED:
        return Text(harmless((story and story.why) or ""))
    cause = json.loads(row.record.value or b"{}").get("request_id")
    lines = [
        f"{fact.sequence} {fact.ce_type}{_changes(fact.data)}"
        for fact in story.facts
        if fact.causation_id == cause
    ]
    return Text("\n".join(map(harmless, lines)))


def _changes(data: Mapping[str, Any]) -> str:
    named = [
        f"{name}: {change['to']}"
        for name, change in (data.get("changes") or {}).items()
        if isinstance(change["to"], (str, int)) and not name.endswith(DERIVED)
    ]
    return f" ({', '.join(named)})" if named else ""


def service_levels(tickets: Sequence[Watched]) -> RenderableType:
    """Each ticket's facts in their order, with when it was due and how late that was noticed."""
    parts: list[RenderableType] = []
    for ticket in tickets:
        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="dim",
            show_header=not parts,
        )
        table.add_column("#", justify="right", style="dim")
        table.add_column("fact", width=len("ticket.status_changed"))
        table.add_column("what it says", width=LEVEL_WIDTH, overflow="fold")
        table.add_column("due at (UTC)", width=len("12:00:00.000"))
        table.add_column("noticed", min_width=len("+123 ms"))
        for sequence, (ce_type, data) in sorted(ticket.facts.items()):
            style = SLA_STYLES.get(ce_type, "")
            says = Text(harmless(_says(data)))
            table.add_row(str(sequence), Text(ce_type, style=style), says, *_due(data))
        parts += [heading(harmless(ticket.title)), table]
    return Group(*parts)


def _says(data: Mapping[str, Any]) -> str:
    match data:
        case {"metric": metric, "threshold_percent": percent, "target_seconds": target}:
            return f"{metric}: {percent} % of {target} s"
        case {"metric": metric, "target_seconds": target, "paused_seconds": paused}:
            still = f", paused for {paused:.1f} s" if paused else ""
            return f"{metric}: {target} s{still}"
        case {"reason": reason, "to": {"level": level, "team": team}}:
            return f"level {level}, {team} ({reason})"
        case {"status": status, "sla_due_date": _} | {
            "changes": {"status": {"to": status}, "sla_due_date": _}
        }:
            return f"{status}; resolution due"
        case {"changes": {"status": {"to": status}}}:
            return str(status)
        case _:
            return ""


def _due(data: Mapping[str, Any]) -> tuple[str, str]:
    """The due time of what it is about, or of the resolution where that was set or moved."""
    match data:
        case {"due_at": due_at, "detection_lag_ms": lag}:
            return _time_of_day(due_at), f"+{lag} ms"
        case {"sla_due_date": due_at} | {"changes": {"sla_due_date": {"to": due_at}}}:
            return _time_of_day(due_at), ""
        case _:
            return "", ""


def _time_of_day(text: str | None) -> str:
    if text is None:
        return "none"
    return datetime.fromisoformat(text).time().isoformat(timespec="milliseconds")


def fact(topic: str, key: str, headers: Mapping[str, str], data: str) -> RenderableType:
    """A record as a subscriber reads it."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_row(Text("topic", style="dim"), Text(topic))
    table.add_row(Text("key", style="dim"), Text(key))
    for name, value in headers.items():
        table.add_row(Text(name, style="dim"), Text(harmless(value)))
    pretty = json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    lines = "\n".join(harmless(line) for line in pretty.splitlines())
    return Group(table, Padding(Text(lines), (1, 0, 0, 0)))


def figures(measured: Measured) -> RenderableType:
    """What was measured, and between which moments."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(min_width=len("12,345 tickets/s"))
    table.add_row(
        Text(f"{measured.per_second:,.0f} tickets/s", style="bold"),
        Text(
            f"{measured.requests:,} requests in {measured.seconds:.2f} s, from the first one"
            " published to the last ticket.created in a subscriber's hands"
        ),
    )
    table.add_row(Text("one at a time"), Text(f"{_in_words(measured.alone)} on this way"))
    table.add_row(Text("in the burst"), Text(f"{_in_words(measured.burst)}, waiting included"))
    return table


def _in_words(latency: Latency) -> str:
    return f"p50 {latency.p50:,.1f}, p95 {latency.p95:,.1f}, p99 {latency.p99:,.1f} ms"


def verdict(report: Report) -> RenderableType:
    """What the checker found, from the topics and the database alone."""
    asked = {name: count for name, count in report.outcomes.items() if name != "applied"}
    counts = ", ".join(f"{asked[name]:,} {name}" for name in STYLES if name in asked)
    lines = [
        Text(f"{sum(asked.values()):,} requests and changes came in: {counts}."),
        Text(
            f"{report.tickets:,} tickets are in the database, and {report.tickets_published:,} on"
            f" ticket.created; {report.dead_letters:,} dead letters are kept, byte for byte."
        ),
    ]
    if report.holds:
        kept = "Yes: nothing is lost, nothing is there twice, nothing is out of order."
        lines.append(Text(kept, style="bold green"))
    else:
        lines += [Text(sentence, style="bold red") for sentence in report.violations]
    return Group(*lines)
