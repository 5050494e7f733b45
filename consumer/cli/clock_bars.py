"""Clocks on a page: each a bar of what is used up, where it stood still, and what is left."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any, Final

from rich.text import Text

from consumer.cli.moments import shown, span
from consumer.cli.output import BAD, GOOD, ODD, QUIET, say, say_below
from consumer.standing import Standing
from schemas.durations import duration_text

WIDTH: Final = 40
MARKS: Final = (("#", GOOD), ("!", BAD), ("/", ODD), (".", QUIET))
"""Of what has elapsed, of what of that is too much, of pauses, and of what is left."""

LEGEND: Final = "(# elapsed, ! over, / paused, . left)"
SECONDS_PER_MINUTE: Final = 60
SECONDS_PER_HOUR: Final = 3_600


def print_clocks(clocks: Sequence[Standing], now: datetime) -> None:
    """Every clock with its bar, its figures and what happened to it."""
    if not clocks:
        return
    say(f"\nClocks {LEGEND}", "bold")
    for clock in clocks:
        say(f"{named(clock)}: {state_of(clock)}", _style(clock))
        for line in _lines(clock, now):
            say_below(line)


def named(clock: Standing) -> str:
    """Which clock of a ticket."""
    return f"{clock.metric.replace('_', ' ')}, cycle {clock.cycle}"


def state_of(clock: Standing) -> str:
    """What it does now, and how its target was met or missed."""
    words = clock.state
    match clock.state:
        case "running" if clock.is_open is False:
            words += ", outside its business hours"
        case "paused":
            words += f": {_reasons(clock.pause_reasons)}"
        case "fulfilled":
            words += " late" if clock.is_breached or clock.is_late else " in time"
        case _:
            pass
    if clock.is_breached:
        return f"breached, {words}"
    if clock.is_annulled:
        return f"{words}, its breach annulled"
    if clock.is_late and clock.ended_at is None:
        return f"overdue, {words}; its breach is not told yet"
    return words


def bar(clock: Standing, width: int = WIDTH) -> Text:
    """So many cells: the business time of the target, and of pauses at most a third of the bar."""
    used = min(clock.elapsed_seconds or 0, clock.target_seconds)
    over, rest = clock.overrun_seconds or 0, clock.left_seconds or 0
    paused = min(clock.paused_seconds or 0, (used + over + rest) / 2)
    drawn = Text("[")
    for (mark, style), count in zip(MARKS, cells((used, over, paused, rest), width), strict=True):
        drawn.append(mark * count, style)
    return drawn.append("]")


def cells(parts: Sequence[float], width: int) -> list[int]:
    """A bar's cells dealt out in proportion. What is not nothing has one at least."""
    shares = [width * part / (sum(parts) or 1) for part in parts]
    counts = [int(share) for share in shares]
    nearest = sorted(range(len(parts)), key=lambda place: counts[place] - shares[place])
    for place in nearest[: width - sum(counts)]:
        counts[place] += 1
    for place, part in enumerate(parts):
        if part > 0 and counts[place] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[place] = 1
    return counts


def business_time(seconds: float, rounding: Callable[[float], int] = floor) -> str:
    """In hours, never in days, since a day of business has as many as its calendar says.

    To the second below an hour, to the minute from there on.
    """
    unit = SECONDS_PER_MINUTE if seconds >= SECONDS_PER_HOUR else 1
    return duration_text(timedelta(seconds=unit * rounding(seconds / unit))) or "0s"


def percent(clock: Standing) -> str:
    """How much of the target is used up."""
    return "?" if clock.used_percent is None else f"{int(clock.used_percent)} %"


def remaining(clock: Standing) -> str:
    """What is left of the target, or how much it is exceeded; in business time."""
    if clock.left_seconds is None:
        return "?"
    if clock.overrun_seconds:
        return f"{business_time(clock.overrun_seconds)} over"
    still = ", paused" if clock.state == "paused" else ""
    return business_time(clock.left_seconds, ceil) + still


def _lines(clock: Standing, now: datetime) -> Iterator[str | Text]:
    if clock.problem is None:
        yield bar(clock).append(f" {percent(clock)} of {business_time(clock.target_seconds)}")
        yield ", ".join(_figures(clock))
    else:
        yield f"how it stands can't be reckoned: {clock.problem}"
    yield f"due {_due(clock, now)}"
    yield f"judged by {_judge(clock)}, {_hours(clock)}"
    history = clock.history or [{"kind": "started", "at": clock.started_at}]
    for segment in history:
        yield f"{shown(segment['at'], now)} {_happened(segment, now)}"


def _figures(clock: Standing) -> Iterator[str]:
    yield f"{business_time(clock.elapsed_seconds or 0)} elapsed"
    if clock.overrun_seconds:
        yield f"{business_time(clock.overrun_seconds)} over"
    else:
        yield f"{business_time(clock.left_seconds or 0, ceil)} left"
    if clock.paused_seconds:
        yield f"paused for {span(clock.paused_seconds)}"


def _due(clock: Standing, now: datetime) -> str:
    if clock.due_at is not None:
        return shown(clock.due_at, now)
    match clock.state:
        case "paused":
            return "once it goes on"
        case "running":
            return "never: its calendar has too little time"
        case _:
            return "never: it stood still when it ended"


def _judge(judged: Standing | Mapping[str, Any]) -> str:
    if isinstance(judged, Standing):
        name, version = judged.policy, judged.policy_version
    else:
        name, version = judged["policy"], judged["policy_version"]
    return "the default table" if name is None else f"{name} (version {version})"


def _hours(clock: Standing) -> str:
    if clock.calendar_version is None:
        return "24x7"
    return "by its calendar" if clock.calendar is None else f"calendar {clock.calendar}"


def _happened(segment: Mapping[str, Any], now: datetime) -> str:
    match segment["kind"]:
        case "retargeted":
            target = business_time(segment["target_seconds"])
            return f"retargeted to {target} by {_judge(segment)}"
        case "paused":
            until = segment["until"]
            end = f" until {shown(until, now)}" if until else ""
            return f"paused: {_reasons(segment['pause_reasons'])}{end}"
        case kind:
            return str(kind)


def _reasons(reasons: Iterable[str]) -> str:
    return ", ".join(reason.replace("_", " ") for reason in reasons)


def _style(clock: Standing) -> str:
    if clock.is_breached or (clock.is_late and clock.ended_at is None):
        return f"bold {BAD}"
    return {"fulfilled": f"bold {GOOD}", "paused": f"bold {ODD}"}.get(clock.state, "bold")
