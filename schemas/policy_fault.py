"""One fault of a policy, in words for whoever wrote it, and the words that several checks need."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

from schemas.forms import Step
from schemas.problems import written

MOST_NAMED: Final = 12

Path = tuple[Step, ...]


class Fault(NamedTuple):
    """{path}: {problem}; expected {accepted_form}. nearest: what was probably meant."""

    path: Path
    problem: str
    accepted_form: str
    nearest: str | None = None

    @property
    def message(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return (
            f"{written(self.path) or 'policy'}: {self.problem}; expected {self.accepted_form}{hint}"
        )


def unknown_team(team: str | None, path: Path, teams: Collection[str]) -> Iterator[Fault]:
    """The fault of naming a team that the policy does not have."""
    if team is None or team in teams:
        return
    names = list(teams)
    form = choice(names) if names else "a team that the field teams has with its members"
    yield Fault(path, f"is {team!r}, which is no team here", form, nearest(team, names))


def repeated_names(names: Sequence[str], path: Path, each: str) -> Iterator[Fault]:
    """The faults of entries in a list that have the name of an earlier one. each: what they are."""
    for index in repeated(names):
        problem = f"is {names[index]!r}, as in an earlier {each}"
        yield Fault((*path, index, "name"), problem, "a name of its own")


def repeated(values: Iterable[str]) -> Iterator[int]:
    """The places at which a value stands that stood before."""
    seen = set()
    for index, value in enumerate(values):
        if value in seen:
            yield index
        seen.add(value)


def choice(names: Sequence[str]) -> str:
    """What may stand, as far as it can be told."""
    shown = ", ".join(names[:MOST_NAMED])
    left = len(names) - MOST_NAMED
    return f"one of {shown}" + (f" and {left} more" if left > 0 else "")


def nearest(name: object, names: Sequence[str]) -> str | None:
    """What was probably meant."""
    near = get_close_matches(str(name).lower(), names, n=1, cutoff=0.6)
    return near[0] if near else None
