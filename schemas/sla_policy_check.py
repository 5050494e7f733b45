"""What no field of an SLA policy can know alone."""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from schemas.policy_fault import (
    Fault,
    Path,
    choice,
    nearest,
    repeated,
    repeated_names,
    unknown_team,
)
from schemas.sla_policy import LadderStep, SlaPolicy
from schemas.vocabulary import SlaMetric


def sla_contradictions(
    policies: Sequence[SlaPolicy], *, teams: Collection[str], calendars: Collection[str]
) -> Iterator[Fault]:
    """All that is wrong between the parts of a tenant's SLA policies."""
    yield from repeated_names([policy.name for policy in policies], ("sla",), "SLA policy")
    for index, policy in enumerate(policies):
        path: Path = ("sla", index)
        yield from _unknown_calendar(policy.calendar, (*path, "calendar"), calendars)
        if not any(map(policy.targets.of, SlaMetric)):
            form = f"{' or '.join(SlaMetric)}, or both"
            yield Fault((*path, "targets"), "names no target", form)
        for place in repeated(policy.pauses):
            problem = f"is {policy.pauses[place].value!r} again"
            yield Fault((*path, "pauses", place), problem, "each reason once")
        yield from _falling_warnings(policy.warnings, (*path, "warnings"))
        yield from _wrong_with_ladder(policy, (*path, "ladder"), teams)


def _unknown_calendar(name: str | None, path: Path, calendars: Collection[str]) -> Iterator[Fault]:
    if name is None or name in calendars:
        return
    names = list(calendars)
    form = choice(names) if names else "a calendar that the field calendars has"
    yield Fault(path, f"is {name!r}, which is no calendar here", form, nearest(name, names))


def _falling_warnings(warnings: Sequence[int], path: Path) -> Iterator[Fault]:
    for index, (before, percent) in enumerate(pairwise(warnings), start=1):
        if percent <= before:
            problem = f"is {percent}, after {before}"
            yield Fault((*path, index), problem, "percents that rise, each once")


def _wrong_with_ladder(policy: SlaPolicy, path: Path, teams: Collection[str]) -> Iterator[Fault]:
    has_targets = any(map(policy.targets.of, SlaMetric))
    for index, step in enumerate(policy.ladder):
        place = (*path, index)
        yield from unknown_team(step.team, (*place, "team"), teams)
        if not (step.raise_priority or step.level or step.team or step.user):
            yield Fault(place, "does nothing", "any of level, team, user and raise_priority")
        if has_targets and not any(policy.targets.of(step.metric).values()):
            problem = f"is {step.metric.value!r}, which has no clock by this policy"
            yield Fault((*place, "metric"), problem, "a metric that targets has a duration for")
    for metric in SlaMetric:
        steps = [each for each in enumerate(policy.ladder) if each[1].metric is metric]
        yield from _falling_levels(sorted(steps, key=lambda each: each[1].at), path)


def _falling_levels(steps: Sequence[tuple[int, LadderStep]], path: Path) -> Iterator[Fault]:
    """A ticket is never lowered: a step to a level below an earlier step's would do nothing."""
    highest = 0
    for index, step in steps:
        if step.level is None:
            continue
        if step.level < highest:
            problem = f"is {step.level}, below level {highest} of an earlier time"
            yield Fault((*path, index, "level"), problem, "levels that do not fall as time passes")
        highest = max(highest, step.level)
