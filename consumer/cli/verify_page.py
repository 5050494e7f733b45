"""What `ticketing verify` found, on a page or as JSON."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from consumer.audit import Report
from consumer.breach import MEANINGS, Breach
from consumer.cli.moments import shown, stamp
from consumer.cli.output import BAD, GOOD, ODD, print_fields, say, say_below
from consumer.cli.verifying import Asked
from consumer.wording import counted

WAITS: Final = {
    "unread": ("record unread", "records unread"),
    "parked": ("request parked", "requests parked"),
    "facts": ("fact to publish", "facts to publish"),
    "dead_letters": ("dead letter to pass on", "dead letters to pass on"),
}
"""What can wait, in the words of the verdict."""


def print_page(asked: Asked, report: Report, limit: int) -> None:
    """Figures, at most `limit` findings of each kind, and the verdict."""
    print_fields(_fields(asked, report))
    for remark in report.remarks:
        say(remark, ODD)
    if report.losses:
        _print_group("Records deleted before they were read", report.losses, limit)
    groups: dict[Breach, list[str]] = defaultdict(list)
    for violation in report.found:
        groups[violation.kind].append(violation.sentence)
    for kind in Breach:
        if kind in groups:
            _print_group(MEANINGS[kind], groups[kind], limit)
    say(verdict(report), _style(report))


def verdict(report: Report) -> str:
    """The last line: whether the promise holds."""
    if not report.holds:
        broken = []
        if report.violations:
            broken.append(counted(len(report.violations), "violation"))
        if report.losses:
            broken.append(f"{counted(report.lost, 'record')} deleted unread")
        return f"The promise is broken: {', '.join(broken)}."
    if report.is_at_rest and report.kept:
        return f"The promise holds; {report.kept:,} that the broker does not take wait for people."
    if report.is_at_rest:
        return "The promise holds, and nothing is left to be done."
    return f"The promise holds so far: {', '.join(_waits(report.waiting))}."


def as_plain(asked: Asked, report: Report) -> dict[str, Any]:
    """All of it, for programs."""
    plain = asdict(report)
    del plain["violations"]
    found = plain.pop("found")
    return {
        "asked_at": asked.now,
        "since": asked.since,
        "until": asked.until,
        "holds": report.holds,
        "is_at_rest": report.is_at_rest,
        "verdict": verdict(report),
        **plain,
        "violations": [{"kind": kind, "sentence": sentence} for kind, sentence in found],
    }


def _print_group(heading: str, sentences: Sequence[str], limit: int) -> None:
    say(f"{heading} ({len(sentences):,}):", BAD)
    for sentence in sentences[:limit]:
        say_below(sentence)
    if len(sentences) > limit:
        say_below(f"and {len(sentences) - limit:,} more; --json names all")


def _fields(asked: Asked, report: Report) -> Iterator[tuple[str, object]]:
    yield "window", _window(asked)
    yield "records", _counts(report.records, report.outcomes)
    yield "tickets", f"{report.tickets:,}, {report.tickets_published:,} of them published"
    facts = {
        "published": report.published,
        "to publish": report.waiting.get("facts", 0),
        "published again": report.repeated,
    }
    yield "facts", _counts(report.facts, facts)
    yield "dead letters", f"{report.dead_letters:,}"
    if report.kept:
        yield "kept", f"{report.kept:,}, which the broker does not take and the database holds"
    if report.expired:
        yield "expired", f"{report.expired:,}, older than what their topics still have: not judged"
    yield "waiting", ", ".join(_waits(report.waiting)) or "nothing"


def _window(asked: Asked) -> str:
    if asked.since is None and asked.until is None:
        return f"everything, as it was at {stamp(asked.now)}"
    since = "the beginning" if asked.since is None else shown(asked.since, asked.now)
    until = f"now, {stamp(asked.now)}" if asked.until is None else shown(asked.until, asked.now)
    return f"from {since} to {until}"


def _counts(total: int, parts: Mapping[str, int]) -> str:
    told = [f"{count:,} {name.replace('_', ' ')}" for name, count in parts.items() if count]
    return f"{total:,}: {', '.join(told)}" if told else f"{total:,}"


def _waits(waiting: Mapping[str, int]) -> list[str]:
    return [
        f"{count:,} {WAITS[name][0] if count == 1 else WAITS[name][1]}"
        for name, count in waiting.items()
        if count
    ]


def _style(report: Report) -> str:
    if not report.holds:
        return BAD
    return GOOD if report.is_at_rest else ODD
