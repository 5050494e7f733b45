"""Bugs as patches of the shipped modules: each must be found, else the simulation is hollow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from inspect import getsource
from textwrap import dedent
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import consumer.batch
import handlers.batch
from consumer import intake
from db import bulk, lease, outbox
from db.outbox import Claim
from handlers import write

OFFSETS_FIRST: Final = """self._offsets.advance(done)
    await self._offsets.flush()
    await self._batches.settle(entries)"""


class NotPlanted(AssertionError):
    """The text {text!r} is no longer in {where}: plant the bug anew."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(f"The text {text!r} is no longer in {where}: plant the bug anew.")


def rewritten(module: ModuleType, function: Any, *changes: tuple[str, str]) -> Any:  # noqa: ANN401  functions
    """The function as it would be with these texts replaced in its source."""
    source = dedent(getsource(function))
    for text, other in changes:
        if source.count(text) != 1:
            raise NotPlanted(text, f"{module.__name__}.{function.__qualname__}")
        source = source.replace(text, other)
    names: dict[str, Any] = {}
    exec(compile(source, f"<{function.__qualname__}, patched>", "exec"), vars(module), names)  # noqa: S102  our own source
    return names[function.__name__]


@contextmanager
def offsets_first() -> Iterator[None]:
    """Offsets are committed before the database has committed."""
    worse = rewritten(
        intake,
        intake.Intake._settle,  # noqa: SLF001  what is to be broken
        ("await self._batches.settle(entries)\n", "done = self.lanes.finish(batch)\n"),
        (
            "self._offsets.advance(self.lanes.finish(batch))",
            OFFSETS_FIRST,
        ),
    )
    with patch.object(intake.Intake, "_settle", worse):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """The relay writes off without looking whether the lease is still its own."""

    async def confirmed(*_: object) -> None:
        return None

    with patch.object(lease, "confirm", confirmed):
        yield


@contextmanager
def high_water_mark() -> Iterator[None]:
    """The relay reads what is above the highest number that it has seen."""
    highest: dict[int, int] = {}

    async def claim(connection: Any, *, limit: int) -> list[Claim]:  # noqa: ANN401  a connection
        seen = highest.get(id(connection.process), 0)
        rows = [Claim(*row) for row in await connection.fetch(outbox.CLAIM, limit)]
        fresh = [row for row in rows if row.id > seen]
        highest[id(connection.process)] = max([seen, *(row.id for row in fresh)])
        return fresh

    with patch.object(outbox, "claim", claim):
        yield


@contextmanager
def no_arbiter() -> Iterator[None]:
    """Who finds an identity decided by another in the end says nothing, and goes on."""
    worse = rewritten(
        bulk,
        bulk._insert_statement.__wrapped__,  # noqa: SLF001  what is to be broken
        (
            "{_selection(table, columns, first)}",
            "{_selection(table, columns, first)}{_ends(table)}",
        ),
    )

    def ends(table: Any) -> str:  # noqa: ANN401  a table
        return " ON CONFLICT DO NOTHING" if table.name == "requests" else ""

    async def copy(connection: Any, batch: bulk.Rows) -> None:  # noqa: ANN401  a connection
        if batch.table.name == "requests":
            await bulk.insert(connection, [batch])
        else:
            await bulk.copy(connection, batch)

    with (
        patch.object(bulk, "_ends", ends, create=True),
        patch.object(bulk, "_insert_statement", worse),
        patch.object(write, "copy", copy),
    ):
        yield


@contextmanager
def number_before_locks() -> Iterator[None]:
    """The number of a write is taken before its tickets are locked."""
    look_up = """\
    known, dead = await gather(
        connection,
        [*requests, *changes],
        stretches=_stretches(entries),
        check_numbers=setting.check_numbers,
    )
"""
    lock = """\
    if changes:  # before the number of this write is taken
        await tickets.lock(connection, changes)
"""
    worse = rewritten(handlers.batch, handlers.batch.handle, (lock + look_up, look_up + lock))
    with patch.object(consumer.batch, "handle", worse):
        yield


BUGS: Final[Mapping[str, Callable[[], Any]]] = {
    "offsets-first": offsets_first,
    "no-fence": no_fence,
    "high-water-mark": high_water_mark,
    "no-arbiter": no_arbiter,
    "number-before-locks": number_before_locks,
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With this bug, or as it is shipped."""
    with ExitStack() as stack:
        if name is not None:
            stack.enter_context(BUGS[name]())
        yield
