"""Find the records that break a batch: halve it until each stands alone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from db.errors import Remedy, Unworkable, remedy

Item = TypeVar("Item")
Done = TypeVar("Done")

CONFLICTS_IN_A_ROW = 20
"""A conflict is settled by looking again; so many in a row are an outage by another name."""

LONELY_FAILURES = 20
"""When so many records in a row fail alone, it isn't the records."""


class NotTheRecords(Unworkable):
    """{count} records in a row failed alone, the last with: {error}."""

    def __init__(self, count: int, error: BaseException) -> None:
        super().__init__(f"{count} records in a row failed alone, the last with: {error}")


class Contended(Unworkable):
    """The same identities were decided elsewhere {count} times in a row."""

    def __init__(self, count: int) -> None:
        super().__init__(f"the same identities were decided elsewhere {count} times in a row")


@dataclass(slots=True)
class Bisector(Generic[Item, Done]):
    """Writes batches, and their parts where a record of theirs is at fault.

    write: one transaction; raises what the database raises. The flag says that someone was first.
    bury: what to do with one record that fails alone; its error says why.
    is_progress: whether a write settled anything that was not settled before. Only that says that
    the database works: a batch that is tried again finds its buried records settled.
    """

    write: Callable[[Sequence[Item], bool], Awaitable[Done]]
    bury: Callable[[Item, BaseException], Awaitable[Done]]
    on_split: Callable[[], None]
    is_progress: Callable[[Done], bool]
    lonely: int = 0

    async def settle(self, items: Sequence[Item]) -> list[Done]:
        """Settle every item: O(k log n) transactions for k bad ones among n.

        Raises whatever means that the database can't work now; what was settled before stands.
        """
        conflicts = 0
        while True:
            try:
                done = await self.write(items, conflicts > 0)
            except Exception as error:
                match remedy(error):
                    case Remedy.WAIT:
                        raise
                    case Remedy.CONFLICT:
                        conflicts += 1
                        if conflicts >= CONFLICTS_IN_A_ROW:
                            raise Contended(conflicts) from error
                    case Remedy.RECORD:
                        return await self._split(items, error)
            else:
                if self.is_progress(done):
                    self.lonely = 0
                return [done]

    async def _split(self, items: Sequence[Item], error: BaseException) -> list[Done]:
        if len(items) == 1:
            return await self._fail_alone(items[0], error)
        self.on_split()
        middle = len(items) // 2
        return [*await self.settle(items[:middle]), *await self.settle(items[middle:])]

    async def _fail_alone(self, item: Item, error: BaseException) -> list[Done]:
        if self.lonely + 1 >= LONELY_FAILURES:
            raise NotTheRecords(self.lonely + 1, error) from error
        try:
            done = await self.bury(item, error)
        except Exception as refusal:
            match remedy(refusal):
                case Remedy.WAIT:
                    raise
                case Remedy.CONFLICT:  # another worker has buried it: looking again finds that
                    return await self.settle([item])
                case Remedy.RECORD:  # what is kept of it is bytes: no record is to blame
                    raise NotTheRecords(self.lonely + 1, refusal) from refusal
        self.lonely += 1
        return [done]
