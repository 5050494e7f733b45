"""Which letters a command is to change: named ones, those that fit, or all that are undecided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import asyncpg

from consumer.cli.failures import WRONG_USE, CommandFailed
from consumer.cli.letter_filter import State, Wanted, describe
from consumer.cli.letter_page import place_of
from consumer.cli.place import Place, parse_place
from consumer.letter_groups import Cause, by_cause
from consumer.letter_turns import Chosen
from consumer.settings import Settings
from db import dead_letter_reading, letter_search
from db.dead_letter_reading import Summary
from db.letter_search import Alike
from handlers.again import UNDECIDED


@dataclass(frozen=True, slots=True)
class Options:
    """What was given."""

    ids: Sequence[str]
    wanted: Wanted
    state: State | None
    is_all: bool
    limit: int | None

    @property
    def is_filtered(self) -> bool:
        return self.state is not None or self.wanted != Wanted()


@dataclass(frozen=True, slots=True)
class Choice:
    """The letters, in the words of who chose them, and what they died of."""

    chosen: Chosen
    number: int
    words: str
    causes: Sequence[Cause]


def check_use(options: Options) -> None:
    """Refuse what names no letters, or names them in two ways. Raises CommandFailed."""
    if options.ids and (options.is_filtered or options.is_all or options.limit is not None):
        raise CommandFailed("Give ids, or filters, not both.", WRONG_USE)
    if empty := [f"--{name}" for name, text in asdict(options.wanted).items() if text == ""]:
        raise CommandFailed(
            f"{empty[0]} is empty, perhaps a variable that is not set; give a value, or leave it"
            " out.",
            WRONG_USE,
        )
    if options.is_all and options.is_filtered:
        raise CommandFailed("Give filters, or --all, not both.", WRONG_USE)
    if not (options.ids or options.is_filtered or options.is_all):
        raise CommandFailed(
            "Which dead letters? Give ids, filters such as --since 2h, or --all.", WRONG_USE
        )
    if options.state is not None and options.state not in UNDECIDED:
        raise CommandFailed(
            f"--state {options.state}: somebody has decided about these; give dead or"
            " failed_again, or the ids.",
            WRONG_USE,
        )
    for id_ in options.ids:
        parse_place(id_)


async def choose(connection: asyncpg.Connection, settings: Settings, options: Options) -> Choice:
    """Look the letters up. Raises CommandFailed where one that is named does not exist."""
    if options.ids:
        return await _named(connection, settings, options.ids)
    now = await connection.fetchval("SELECT now()")
    states = sorted(UNDECIDED) if options.state is None else [options.state]
    wanted = options.wanted.filter(settings, now, states)
    wanted = replace(wanted, until=wanted.until or now)  # what fails from now on was not asked for
    found = await letter_search.alike(connection, wanted)
    number = await letter_search.count(connection, wanted)
    if options.limit is not None and options.limit < number:
        words = f"the first {options.limit} of {number} ({describe(wanted)})"
        number = options.limit
    else:
        words = f"{number} ({describe(wanted)})"
    return Choice(Chosen((), wanted, options.limit), number, words, by_cause(found))


async def find(connection: asyncpg.Connection, settings: Settings, place: Place) -> list[Summary]:
    """The dead letters of a record, whose topic may be named with or without the prefix.

    More than one only if the topic was made anew. Raises CommandFailed where there is none.
    """
    for topic in (place.topic, settings.topic_prefix + place.topic):
        found = await dead_letter_reading.by_record(
            connection, topic, place.partition, place.offset
        )
        if found:
            return found
    raise CommandFailed(f"There is no dead letter {place}.")


async def _named(connection: asyncpg.Connection, settings: Settings, ids: Sequence[str]) -> Choice:
    found = {
        (each.topic, each.partition, each.offset, each.record_timestamp): each
        for id_ in ids
        for each in await find(connection, settings, parse_place(id_))
    }
    named = await letter_search.turns_of(connection, list(found))
    causes = by_cause(map(_alone, found.values()))
    return Choice(Chosen(named), len(named), f"{len(named)} by id", causes)


def _alone(letter: Summary) -> Alike:
    return Alike(
        letter.topic,
        letter.error_class,
        letter.error_message,
        None,
        1,
        letter.failed_at,
        letter.failed_at,
        str(place_of(letter)),
        0,
    )
