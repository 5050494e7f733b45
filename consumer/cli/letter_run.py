"""What redriving and discarding share: the letters, what is asked, and what became of them."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, Final

import asyncpg
import typer

from consumer.cli.failures import FAILED, database_place, reading
from consumer.cli.letter_choice import Choice, Options, choose
from consumer.cli.letter_page import later_json
from consumer.cli.output import print_json, print_table, say
from consumer.cli.place import PLACE_FORM, Place
from consumer.cli.progress_line import ProgressLine
from consumer.letter_order import Told
from consumer.settings import Settings
from consumer.wording import counted
from db.connect import open_pool

MOST_SHOWN: Final = 20
MOST_CAUSES: Final = 10

Ids = Annotated[
    list[str] | None, typer.Argument(metavar=f"[{PLACE_FORM}]...", help="The ids of letters.")
]
All = Annotated[bool, typer.Option("--all", help="All that nobody has decided about.")]
Most = Annotated[
    int | None,
    typer.Option("--limit", min=1, metavar="N", help="No more than these, the oldest first."),
]


async def chosen(settings: Settings, options: Options) -> Choice:
    """Look up what the options choose."""
    async with reading(settings) as connection:
        return await choose(connection, settings, options)


def touched(
    settings: Settings, choice: Choice, actor: str, **more: object
) -> Iterator[tuple[str, object]]:
    """What will be touched, line by line."""
    yield "database", database_place(settings)
    yield "letters", choice.words
    for cause in choice.causes[:MOST_CAUSES]:
        yield f"  {cause.count} x {cause.topic} {cause.error_class}", cause.shape
    if len(choice.causes) > MOST_CAUSES:
        yield "  and", f"{len(choice.causes) - MOST_CAUSES} more causes"
    yield from ((name, value) for name, value in more.items() if value not in {None, ""})
    yield "by", actor


@asynccontextmanager
async def opened(settings: Settings, name: str) -> AsyncIterator[asyncpg.Pool]:
    """A connection for one run, as a pool. name: as the database shows it."""
    pool = await open_pool(
        settings.database_url.get_secret_value(),
        size=1,
        pooler=settings.database_pooler,
        application_name=name,
    )
    try:
        yield pool
    finally:
        await pool.close()


class Results:
    """What became of the letters so far. verb: in the past tense, such as redriven."""

    def __init__(self, verb: str, *, dry_run: bool, as_json: bool) -> None:
        self._verb = verb
        self.dry_run = dry_run
        self._as_json = as_json
        self._told: list[Told] = []

    async def collect(self, run: AsyncIterator[list[Told]], total: int) -> None:
        """Keep what a run tells, and show how far it is."""
        with ProgressLine(total, "letters") as line:
            async for told in run:
                self._told += told
                line.advance(len(told))

    @contextmanager
    def told_at_the_end(self) -> Iterator[None]:
        """Tell what is done also where the work ends early: that stands."""
        try:
            yield
        except BaseException:
            if self._told:
                self._print()
            raise

    def leave(self) -> None:
        """Tell it, and end with 0 where all was done, else with 1."""
        self._print()
        if not all(each.is_done for each in self._told):
            raise typer.Exit(FAILED)

    def _print(self) -> None:
        if self._as_json:
            print_json(
                {
                    "dry_run": self.dry_run,
                    "counts": dict(self._counts()),
                    "letters": [told_json(each) for each in self._told],
                }
            )
            return
        if not self._told:
            say("No dead letter fits.")
            return
        shown = sorted(self._told, key=lambda each: each.is_done)[:MOST_SHOWN]
        print_table(
            ("ID", "OUTCOME", "why"),
            ((id_of(each), each.outcome, _why(each)) for each in shown),
        )
        if len(self._told) > len(shown):
            say(f"... ({len(self._told) - len(shown)} more; --json shows all)", "dim")
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self._counts())
        word = f"Would be {self._verb}" if self.dry_run else self._verb.capitalize()
        done = sum(each.is_done for each in self._told)
        say(f"{word}: {done} of {counted(len(self._told), 'letter')} ({counts}).")

    def _counts(self) -> list[tuple[str, int]]:
        return Counter(each.outcome for each in self._told).most_common()


def id_of(told: Told) -> str:
    """A letter's id, without its timestamp."""
    topic, partition, offset, _ = told.letter
    return str(Place(topic, partition, offset))


def told_json(told: Told) -> dict[str, Any]:
    """One letter, for programs."""
    return {
        "id": id_of(told),
        "record_timestamp": told.letter[3],
        "outcome": told.outcome,
        "code": told.code,
        "reason": told.reason,
        "later_changes": [later_json(change) for change in told.later],
    }


def _why(told: Told) -> str | None:
    if told.code is None:
        return told.reason
    return f"{told.code}: {told.reason}"
