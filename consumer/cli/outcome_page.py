"""Outcomes on a page, and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from consumer.cli.moments import shown
from consumer.cli.outcome import Story
from consumer.cli.output import print_fields, say
from consumer.cli.timeline import print_timeline, publication


def story_row(story: Story) -> tuple[str | None, ...]:
    """The outcome in one line: what, which ticket or why."""
    number = story.ticket["ticket_number"] if story.ticket else None
    cause = f"{story.code}: {story.why}" if story.code else story.why
    return (story.outcome, *filter(None, (number, cause)))


def story_json(story: Story) -> dict[str, Any]:
    """The outcome for a program; every fact with where it is on its way."""
    facts = [asdict(fact) | {"publication": publication(fact)} for fact in story.facts]
    return {
        "outcome": story.outcome,
        "code": story.code,
        "why": story.why,
        "tenant_id": story.tenant_id,
        "record": str(story.place) if story.place else None,
        "decided_at": story.decided_at,
        "ticket": story.ticket,
        "facts": facts,
    }


def print_stories(stories: Iterable[Story], now: datetime) -> None:
    """One below the other."""
    for number, story in enumerate(stories):
        if number:
            say()
        print_fields(
            (
                ("outcome", story.outcome),
                ("code", story.code),
                ("why", story.why),
                ("tenant", story.tenant_id),
                ("record", story.place),
                ("decided", shown(story.decided_at, now)),
                ("ticket", story.ticket["ticket_number"] if story.ticket else None),
            )
        )
        if story.facts:
            print_timeline(story.facts, now)
