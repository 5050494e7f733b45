"""What a ticket costs the database over tables of different sizes: counted, not timed.

    python -m benchmarks.cost_at_size [--sizes 10000 3000000] [--json FILE]

For each size a database of its own, in which so many tickets stand open. The same batches are
handled there as the product does, on one connection: requests, then changes of tickets that are in
every one of the tables, then changes of tickets all over the table. The server is always one of
our own: its counters may tell of nothing else.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import asyncpg
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import counters, machine
from benchmarks.counters import Counted, Index
from benchmarks.large_table import filled_database
from benchmarks.load import Request, mixed, requests
from benchmarks.program import ProgramFailed
from consumer.transaction import transaction
from db.connect import open_pool
from devstack.choice import ServerMissing
from devstack.server import ServerFailed
from devstack.stack import running
from handlers.batch import Entry, Setting, handle
from handlers.entries import TopicRole, read
from handlers.outcomes import Rules, outcome_of
from handlers.record import StoredRecord
from schemas.vocabulary import Kind, Outcome

_TOPICS: Final = {Kind.REQUEST: "ticket.requested", Kind.CHANGE: "ticket.change_requested"}
_OUTCOMES: Final = {Kind.REQUEST: Outcome.CREATED, Kind.CHANGE: Outcome.CHANGED}
_WARM_UP_BATCHES: Final = 10
"""A connection keeps a statement's plan only after its fifth call."""

_PIPED_COLUMNS: Final = 120
_LONGEST_STATEMENT: Final = 60


@dataclass(frozen=True, slots=True)
class Load:
    """Requests, or changes of the first so many tickets that stand open."""

    name: str
    kind: Kind
    tickets: int

    def records(self, name: str, count: int) -> Iterator[Request]:
        """Those of the other benchmarks. name: in all their ids."""
        if self.kind is Kind.REQUEST:
            return requests(name, count)
        topic = _TOPICS[self.kind]
        of_both = mixed(name, count * 5, tickets=self.tickets, change_topic=topic)
        return islice((each for each in of_both if each.topic == topic), count)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of so many records of a load, over a table of so many open tickets."""

    size: int
    load: str
    records: int
    counted: Counted


def loads(size: int, smallest: int) -> tuple[Load, ...]:
    """What every table is given; only the last depends on how large it is."""
    return (
        Load("requests", Kind.REQUEST, 0),
        Load(f"changes of {smallest:,} tickets", Kind.CHANGE, smallest),
        Load("changes all over the table", Kind.CHANGE, size),
    )


def entries(kind: Kind, records: Iterable[Request]) -> list[Entry]:
    now = int(time.time() * 1000)
    return [
        read(
            StoredRecord(_TOPICS[kind], 0, offset, now, each.key, each.value, ()),
            TopicRole(kind),
            len(each.value),
        )
        for offset, each in enumerate(records)
    ]


def measure(url: str, size: int, smallest: int, *, batch: int, batches: int) -> list[Cost]:
    """Of all loads, in their order. Raises ProgramFailed where a record is not accepted."""

    async def measured() -> list[Cost]:
        pool = await open_pool(url, size=1)
        try:
            await counters.prepare(pool)
            return [await _cost(pool, size, load, batch, batches) for load in loads(size, smallest)]
        finally:
            await pool.close()

    return asyncio.run(measured())


async def _cost(pool: asyncpg.Pool, size: int, load: Load, batch: int, batches: int) -> Cost:
    for number in range(_WARM_UP_BATCHES):
        warming = load.records(f"{load.name}, warm-up {number}", batch)
        await _handle(pool, load.kind, entries(load.kind, warming))
    records = entries(load.kind, load.records(load.name, batch * batches))

    async def work() -> None:
        for first in range(0, len(records), batch):
            await _handle(pool, load.kind, records[first : first + batch])

    return Cost(size, load.name, len(records), await counters.counted(pool, work))


async def _handle(pool: asyncpg.Pool, kind: Kind, batch: Sequence[Entry]) -> None:
    async with transaction(pool) as connection:
        handled = await handle(connection, batch, Setting(Rules(), "benchmark"))
    accepted = [each for each in handled.decisions if outcome_of(each) is _OUTCOMES[kind]]
    if len(accepted) != len(batch):
        raise ProgramFailed(f"Only {len(accepted)} of {len(batch)} were {_OUTCOMES[kind]}.")


def explained(small: Index, large: Index) -> float:
    """Pages that the larger index would take if each way through it were only longer."""
    return small.pages / (small.levels + 1) * (large.levels + 1)


def show(console: Console, costs: Sequence[Cost]) -> None:
    """A table for each load, with a column for each size."""
    for load in dict.fromkeys(each.load for each in costs):
        found = [each for each in costs if each.load == load]
        table = Table(
            title=f"{load}: {found[0].records:,} records, for each of them",
            box=box.SIMPLE_HEAD if console.is_terminal else None,
            title_justify="left",
        )
        table.add_column("open tickets")
        for each in found:
            table.add_column(f"{each.size:,}", justify="right")
        for label, figures in _rows(found):
            table.add_row(label, *figures)
        console.print(table)


def _rows(found: Sequence[Cost]) -> Iterator[tuple[str, list[str]]]:
    for label, name in (
        ("statements", "calls"),
        ("rows", "rows"),
        ("pages", "pages"),
        ("  of which not in the server's memory", "absent"),
    ):
        yield label, [_share(getattr(each.counted, name), each) for each in found]
    yield "  if indexes were only deeper", [_deeper(found[0], each) for each in found]
    if found[0].counted.updates:
        yield "tickets updated without their indexes", [_in_place(each) for each in found]
    yield "pages of indexes (levels above the keys)", ["" for _ in found]
    for index in sorted({one.name for each in found for one in each.counted.indexes}):
        yield f"  {index}", [_index(each, index) for each in found]
    yield "pages of statements", ["" for _ in found]
    for text in dict.fromkeys(one.text for each in found for one in each.counted.statements):
        shown = " ".join(text.split())[:_LONGEST_STATEMENT]
        yield f"  {shown}", [_statement(each, text) for each in found]


def _share(number: float, cost: Cost) -> str:
    return f"{number / cost.records:.3f}"


def _in_place(cost: Cost) -> str:
    return _share(cost.counted.hot, cost)


def _by_name(cost: Cost) -> dict[str, Index]:
    return {each.name: each for each in cost.counted.indexes}


def _deeper(first: Cost, other: Cost) -> str:
    small, large = _by_name(first), _by_name(other)
    more = sum(
        explained(small[name], large[name]) - small[name].pages for name in small & large.keys()
    )
    return _share(first.counted.pages + more, first)


def _index(cost: Cost, name: str) -> str:
    index = _by_name(cost).get(name)
    return "-" if index is None else f"{_share(index.pages, cost)} ({index.levels})"


def _statement(cost: Cost, text: str) -> str:
    pages = sum(each.pages for each in cost.counted.statements if each.text == text)
    return _share(pages, cost)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost_at_size")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 3_000_000])
    parser.add_argument("--batch", type=int, default=250, help="records in a transaction")
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    progress = Console(stderr=True)
    costs: list[Cost] = []
    try:
        with running(kafka=False, separate=True, postgres_options=counters.SERVER_OPTIONS) as stack:
            where = machine.describe(stack)
            for size in arguments.sizes:
                progress.print(f"filling {size:,} tickets", highlight=False)
                with filled_database(stack, size) as url:
                    progress.print("measuring", highlight=False)
                    costs += measure(
                        url,
                        size,
                        min(arguments.sizes),
                        batch=arguments.batch,
                        batches=arguments.batches,
                    )
    except (ServerMissing, ServerFailed, ProgramFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_COLUMNS)
    for name, value in where.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    show(console, costs)
    if arguments.json:
        found: dict[str, Any] = {"machine": where, "costs": list(map(dataclasses.asdict, costs))}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
