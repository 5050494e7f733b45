"""What is wrong with a policy: every fault at once, in words for whoever wrote it."""

from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.calendar import Calendar
from schemas.forms import Step, accepted_form, fields_on_the_wire, model_of
from schemas.policy import Policy, Rule, Strategy
from schemas.policy_fault import (
    Fault,
    Path,
    choice,
    nearest,
    repeated,
    repeated_names,
    unknown_team,
)
from schemas.problems import kind_of
from schemas.sla_policy_check import sla_contradictions

LONGEST_SHOWN: Final = 60
OBJECT: Final = f"an object with any of {', '.join(Policy.model_fields)}"
KEY: Final = "[key]"
"""pydantic's last step on the way to the name of an entry, not to its value."""


def judge(document: object) -> Policy | list[Fault]:
    """The policy that a document is, or all that keeps it from being one."""
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return [_fault(detail) for detail in details if not _is_echo(detail)]
    return list(_contradictions(policy)) or policy


def _is_echo(detail: ErrorDetails) -> bool:
    """Pydantic calls a list too short as well, once all its items are wrong."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _fault(detail: ErrorDetails) -> Fault:
    path = tuple(step for step in detail["loc"] if step != KEY)
    form, context = _form(path), detail.get("ctx", {})
    problem, meant = _shown(detail["input"]), None
    match detail["type"]:
        case "extra_forbidden":
            names = list(fields_on_the_wire(_holder(path)))
            problem, form, meant = "is no field here", choice(names), nearest(path[-1], names)
        case "missing":
            problem = "is missing"
        case "glob" | "keyword" | "duration" | "no_date" if detail["msg"]:
            problem += f" and {detail['msg']}"
        case "conflict":
            problem = detail["msg"]
        case "timezone":
            meant = context["nearest"]
        case "string_type" if isinstance(detail["input"], int | float):
            form += "; such a value needs quotes here"
        case "string_too_long":
            problem = f"is {len(detail['input']):,} characters long"
        case "too_long":
            problem = f"has {context['actual_length']:,} entries"
            form = f"at most {context['max_length']:,} of them"
        case "enum":  # its words come as text: 'low', 'normal' or 'high'
            meant = nearest(detail["input"], str(context["expected"]).split("'")[1::2])
        case _:
            pass
    return Fault(path, problem, form, meant)


def _form(path: Sequence[Step]) -> str:
    match path:
        case []:
            return OBJECT
        case ["teams", _, _]:
            return "a user id, text of 1 to 255 characters"
        case ["calendars", _, *within] if within:
            return accepted_form(Calendar, within)
        case _:
            return accepted_form(Policy, path)


def _holder(path: Sequence[Step]) -> type[BaseModel]:
    """The model whose field the last step of this path would be."""
    holder: type[BaseModel] = Policy
    match path:
        case ["calendars", _, *within] if within:  # whose names are those of no fields
            holder, path = Calendar, within
        case _:
            pass
    for step in path[:-1]:
        field = fields_on_the_wire(holder).get(str(step))
        holder = (field and model_of(field)) or holder
    return holder


def _shown(value: object) -> str:
    match value:
        case str():
            if not value.strip():
                return "is empty"
            shown = value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}..."
            return f"is {shown!r}"
        case bool() | None:
            return f"is {kind_of(value)}"
        case int() | float():
            return f"is the number {value}"
        case [] | {}:
            return f"is {kind_of(value)} without entries"
        case _:
            return f"is {kind_of(value)}"


def _contradictions(policy: Policy) -> Iterator[Fault]:
    """What no field can know alone."""
    for team, members in policy.teams.items():
        for index in repeated(members):
            yield Fault(("teams", team, index), f"is {members[index]!r} again", "each member once")
    yield from repeated_names([rule.name for rule in policy.routing], ("routing",), "rule")
    for index, rule in enumerate(policy.routing):
        yield from _wrong_with(rule, ("routing", index), policy)
    yield from sla_contradictions(policy.sla, teams=policy.teams, calendars=policy.calendars)


def _wrong_with(rule: Rule, path: Path, policy: Policy) -> Iterator[Fault]:
    then = rule.then
    if not rule.when.model_fields_set:
        yield Fault((*path, "when"), "names no condition", accepted_form(Policy, (*path, "when")))
    if not then.model_dump(exclude_defaults=True):
        form = "any of team, priority and escalation_path"
        yield Fault((*path, "then"), "gives nothing", form)
    yield from unknown_team(then.team, (*path, "then", "team"), policy.teams)
    if then.assignee is Strategy.SPREAD:
        if then.team is None:
            form = "none, or a team beside it whose members can get the ticket"
            yield Fault((*path, "then", "assignee"), "is 'spread' without a team", form)
        elif then.team in policy.teams and not policy.teams[then.team]:
            problem = f"is 'spread' over team {then.team!r}, which has no members"
            form = "none, or a team with at least one member"
            yield Fault((*path, "then", "assignee"), problem, form)
    level = 0
    for index, step in enumerate(then.escalation_path):
        place = (*path, "then", "escalation_path", index)
        yield from unknown_team(step.team, (*place, "team"), policy.teams)
        if step.level <= level:
            problem = f"is {step.level}, after level {level}"
            yield Fault((*place, "level"), problem, "levels that rise from step to step")
        level = step.level
