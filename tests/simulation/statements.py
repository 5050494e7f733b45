"""Every statement that the fake database understands; another one is an error, never a guess."""

from functools import cache
from typing import Final

from tests.simulation import batch_questions, pause_questions, relay_questions, timer_questions
from tests.simulation.answers import Statement
from tests.simulation.writing import built

NAMED: Final = (
    batch_questions.STATEMENTS
    | relay_questions.STATEMENTS
    | timer_questions.STATEMENTS
    | pause_questions.STATEMENTS
)


class UnknownStatement(AssertionError):
    """The fake database does not understand this statement: {sql}."""

    def __init__(self, sql: str) -> None:
        super().__init__(f"The fake database does not understand this statement: {sql}.")


@cache
def statement_of(sql: str) -> Statement:
    """What a statement does. Raises UnknownStatement."""
    if (named := NAMED.get(sql)) is not None:
        return named
    words = " ".join(sql.split())
    for beginning, statement in timer_questions.BEGINNINGS.items():
        if words.startswith(beginning):
            return statement
    if (found := built(sql)) is not None:
        return found
    raise UnknownStatement(sql)


@cache
def title_of(sql: str) -> str:
    """A statement in a word or two, for a trace and for faults that are meant for it."""
    named = NAMED.get(sql)
    if named is not None:
        return named.__qualname__.partition(".")[0]
    return " ".join(sql.split()[:3]).replace('"', "")[:40]
