"""The figures of a chaos run, fault by fault, for a terminal and for a page."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

HEADINGS: Final = (
    "fault",
    "times",
    "records in",
    "outcomes",
    "repeats",
    "lost",
    "worst recovery, s",
)
NUMBERS: Final = frozenset({1, 2, 4, 5, 6})


@dataclass(slots=True)
class Row:
    """What happened around all strikes of one fault.

    outcomes: of the records that came in from the strike's beginning until rest. repeats: facts
    published again. lost: records without an outcome. recovery: seconds from the fault's end until
    each record had its outcome and each fact was published; the longest.
    """

    fault: str
    times: int = 0
    records: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    lost: int = 0
    recovery: float = 0.0

    def add(
        self,
        *,
        records: int,
        outcomes: Mapping[str, int],
        repeats: int,
        lost: int,
        recovery: float,
    ) -> None:
        """Count one more strike."""
        self.times += 1
        self.records += records
        self.outcomes.update(outcomes)
        self.repeats += repeats
        self.lost += lost
        self.recovery = max(self.recovery, recovery)

    @property
    def cells(self) -> list[str]:
        told = ", ".join(f"{number:,} {what}" for what, number in sorted(self.outcomes.items()))
        numbers = [f"{number:,}" for number in (self.times, self.records)]
        rest = [f"{self.repeats:,}", f"{self.lost:,}", f"{self.recovery:.1f}"]
        return [self.fault, *numbers, told, *rest]


def total(rows: Iterable[Row]) -> Row:
    """All of them together."""
    everything = Row("all")
    for row in rows:
        everything.times += row.times
        everything.records += row.records
        everything.outcomes.update(row.outcomes)
        everything.repeats += row.repeats
        everything.lost += row.lost
        everything.recovery = max(everything.recovery, row.recovery)
    return everything


def as_text(rows: Sequence[Row]) -> str:
    """In columns, for a terminal."""
    lines = [list(HEADINGS), *[row.cells for row in (*rows, total(rows))]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """For docs/reliability.md."""
    ruler = ["---:" if column in NUMBERS else "---" for column in range(len(HEADINGS))]
    lines = [list(HEADINGS), ruler, *[row.cells for row in (*rows, total(rows))]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
