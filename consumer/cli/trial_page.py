"""What a request would get by a policy, in a sentence."""

from datetime import timedelta
from typing import Any

from schemas.durations import duration_text
from schemas.sla_policy import OFF


def sentence(found: dict[str, Any]) -> str:
    """What `policy test --json` says of a request, for people."""
    if "error" in found:
        return str(found["error"])
    sla = ", ".join(
        f"{metric.replace('_', ' ')} {_target(said)}" for metric, said in found["sla"].items()
    )
    return f"{_routed(found)}; {sla}"


def _routed(found: dict[str, Any]) -> str:
    if found["rule"] is None:
        team = found["team"]
        return f"priority {found['priority']}; " + (
            "no rule matches" if team is None else f"the request names team {team} itself"
        )
    steps = ", ".join(
        f"level {step['level']}: {' '.join(filter(None, (step['team'], step['user']))) or 'nobody'}"
        for step in found["escalation_path"]
    )
    gets = (
        ("team", found["team"]),
        ("assignee", found["assignee"]),
        ("priority", found["priority"]),
        ("escalation", steps),
    )
    told = ", ".join(f"{name} {value}" for name, value in gets if value)
    return f"{told} (rule {found['rule']!r})"


def _target(said: dict[str, Any]) -> str:
    seconds = said["target_seconds"]
    target = OFF if seconds is None else duration_text(timedelta(seconds=seconds))
    by = "the default" if said["policy"] is None else repr(said["policy"])
    hours = f", in {said['calendar']!r}" if said["calendar"] is not None else ""
    return f"{target} (by {by}{hours})"
