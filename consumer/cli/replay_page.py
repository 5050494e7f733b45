"""What `ticketing replay` says: before it begins, and at its end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer

from consumer.cli.failures import database_place
from consumer.cli.output import print_json, print_table, say, shortened
from consumer.cli.replay_choice import told
from consumer.replay_filter import ReplayFilter
from consumer.replay_plan import Plan
from consumer.replay_tally import COUNTS, FAILURES, NEWS_KEPT, New
from consumer.settings import Settings
from consumer.wording import counted

NEWS_SHOWN: Final = 20
LONGEST_REASON: Final = 200

BLIND: Final = (
    "A dry run changes nothing: every batch was decided on what is on record now, so no batch could"
    " see what an earlier one of the same run would have done."
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a replay ended. counts: by the names of replay_tally. lost: offsets that were deleted.

    replay_id: None where nothing was kept. stopped_by: the signal, if it was stopped.
    """

    replay_id: str | None
    dry_run: bool
    stopped_by: str | None
    counts: Mapping[str, int]
    news: Sequence[New]
    lost: int
    plan: Plan

    @property
    def has_failures(self) -> bool:
        return bool(self.lost or any(self.counts.get(each) for each in FAILURES))

    def as_json(self) -> dict[str, Any]:
        return {
            "replay_id": self.replay_id,
            "dry_run": self.dry_run,
            "complete": self.stopped_by is None,
            "counts": {name: self.counts.get(name, 0) for name in COUNTS},
            "unread": self.plan.unread,
            "deleted": self.lost,
            "new": [each._asdict() for each in self.news],
        }


def touched(
    settings: Settings,
    wanted: ReplayFilter,
    plan: Plan,
    *,
    retry_rejected: bool,
    replay_id: str | None,
    rate: float | None,
) -> list[tuple[str, object]]:
    """What a replay is about to do, field by field."""
    filters = list(told(wanted)) or [("filter", "none: all records of these topics")]
    rejected = "are decided anew" if retry_rejected else "stay rejected"
    return [
        ("brokers", settings.kafka_bootstrap_servers),
        ("database", database_place(settings)),
        *([("replay", f"{replay_id}, from where it stopped")] if replay_id else []),
        *filters,
        *_topics(plan),
        *_unread(settings, plan),
        *([("not kept", f"{counted(plan.gone, 'offset')} before the first")] if plan.gone else []),
        ("rejected", f"records that were rejected {rejected}"),
        *([("rate", f"{rate:g} records a second at most")] if rate else []),
    ]


def _topics(plan: Plan) -> list[tuple[str, object]]:
    offsets: Counter[str] = Counter()
    partitions: defaultdict[str, int] = defaultdict(int)
    for each in plan.stretches:
        offsets[each.partition.topic] += each.offsets
        partitions[each.partition.topic] += 1
    return [
        (topic, f"{counted(number, 'offset')} in {counted(partitions[topic], 'partition')} to scan")
        for topic, number in offsets.items()
    ] or [("topics", "none")]


def _unread(settings: Settings, plan: Plan) -> list[tuple[str, object]]:
    if not plan.unread:
        return []
    what = f"{counted(plan.unread, 'offset')} that the group {settings.group_id} has not read"
    if plan.includes_unread:
        return [("included", f"{what}: it will find them decided, and wait for no customer")]
    return [("left out", f"{what}: it will decide them itself (--include-unread)")]


def print_ending(ending: Ending, *, as_json: bool) -> None:
    """Tell what became of the records."""
    if as_json:
        print_json(ending.as_json())
        return
    for each in ending.news[:NEWS_SHOWN]:
        say(f"{each.record}  {each.outcome}  {shortened(each.what, LONGEST_REASON)}")
    if (more := len(ending.news) - NEWS_SHOWN) > 0:
        say(f"... and {more} more{' at least' if _is_cut(ending) else ''}")
    print_table(
        ("records", "#number"),
        [(name.replace("_", " "), ending.counts.get(name, 0)) for name in COUNTS],
    )
    if ending.dry_run:
        typer.echo(BLIND, err=True)
    elif ending.replay_id is not None and ending.stopped_by is None:
        say(f"Replay {ending.replay_id} is done.")
    elif ending.replay_id is None:
        say("There was nothing to scan.")


def _is_cut(ending: Ending) -> bool:
    return len(ending.news) == NEWS_KEPT
