"""The overview on a page."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from consumer.cli.moments import age, shown, span
from consumer.cli.output import fields_table, rows_table, show
from consumer.group_lag import TopicLag
from consumer.overview import Overview
from consumer.wording import counted
from db.clock_reading import Timers
from db.status import Due, LeaseHolder, Waiting


def print_page(overview: Overview) -> None:
    """All of it, once."""
    show(page(overview))


def page(overview: Overview) -> Group:
    """What there is to say, part by part; an empty part says nothing."""
    return Group(*_parts(overview))


def _parts(overview: Overview) -> Iterator[RenderableType]:
    for problem in overview.problems:
        yield Text(problem, style="bold red")
    if overview.lag is not None:
        yield _lag(overview.lag)
    waiting = overview.waiting
    if waiting is None:
        return
    now = waiting.at
    if overview.paused:
        yield Text("\npaused", style="bold yellow")
        yield rows_table(
            ("TOPIC", "@since", "BY", "reason"),
            (
                (each.topic, shown(each.paused_at, now), each.paused_by, each.reason)
                for each in overview.paused
            ),
        )
    yield Text()
    yield fields_table(_waiting(waiting, overview))
    if overview.held:
        yield Text("\nheld facts", style="bold")
        yield rows_table(("#FACTS", "reason"), ((count, why) for why, count in overview.held))
    if overview.causes:
        yield Text("\ndead letters in the last 24 h", style="bold")
        yield rows_table(
            ("#LETTERS", "ERROR", "TOPIC", "@last"),
            (
                (cause.count, cause.error_class, cause.topic, shown(cause.last_at, now))
                for cause in overview.causes
            ),
        )
    if overview.lost:
        yield Text("\nrecords deleted before they were read", style="bold red")
        yield rows_table(
            ("TOPIC", "#PARTITION", "#FROM", "#TO", "@reported"),
            (
                (
                    lost.topic,
                    lost.partition,
                    lost.lost_offset,
                    lost.resumed_offset,
                    shown(lost.reported_at, now),
                )
                for lost in overview.lost
            ),
        )


def _lag(lags: list[TopicLag]) -> RenderableType:
    if not lags:
        return Text("There are no topics to read: run `ticketing topics`.", style="yellow")
    return rows_table(
        ("TOPIC", "#PARTITIONS", "#LAG", "oldest"),
        (
            (
                lag.topic,
                lag.partitions,
                lag.records,
                _oldest(lag),
            )
            for lag in lags
        ),
    )


def _oldest(lag: TopicLag) -> str | None:
    if not lag.is_started:
        return "the group has read nothing yet" if lag.records else None
    return None if lag.seconds is None else f"{span(lag.seconds)} old"


def _waiting(waiting: Waiting, overview: Overview) -> Iterator[tuple[str, object]]:
    now = waiting.at
    yield "to publish", _count(waiting.outbox_facts, "fact", waiting.outbox_since, now)
    yield "parked", _count(waiting.parked, "request", waiting.parked_since, now)
    yield "held", _count(waiting.held, "fact", waiting.held_since, now)
    yield "overdue", counted(waiting.overdue, "ticket")
    yield "next due", None if overview.next_due is None else _due(overview.next_due, now)
    if overview.timers is not None:
        yield "timers", _timers(overview.timers, now)
    for lease in overview.leases:
        yield f"{lease.name} lease", _lease(lease, now)


def _due(due: Due, now: datetime) -> str:
    metric = due.metric.replace("_", " ")
    return f"{metric} of {due.ticket_number} of {due.tenant_id} {age(due.due_at, now)}"


def _timers(timers: Timers, now: datetime) -> str:
    """A clock that is to tell something waits no longer than an instant, where timers run."""
    if timers.overdue_since is not None:
        since = age(timers.overdue_since, now)
        return f"{counted(timers.overdue, 'clock')} overdue, the first was due {since}"
    if timers.next_fire_at is None:
        return "on time, nothing is to come"
    return f"on time, the next clock fires {age(timers.next_fire_at, now)}"


def _count(count: int, what: str, since: datetime | None, now: datetime) -> str:
    return counted(count, what) + (f", the oldest {age(since, now)}" if since else "")


def _lease(lease: LeaseHolder, now: datetime) -> str:
    if lease.expires_at <= now:
        return f"nobody's since {shown(lease.expires_at, now)}"
    return f"{lease.holder} (fence {lease.fence})"
