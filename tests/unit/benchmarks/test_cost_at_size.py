"""The cost of a ticket over tables of different sizes: the same batches, and what is shown."""

import io
import re

from rich.console import Console

from benchmarks.cost_at_size import Cost, entries, explained, loads, show
from benchmarks.counters import Counted, Index, Statement
from handlers.outcomes import Change, Request

FEW, MANY = 1_000, 50_000


def counted(pages: int, levels: int, **updates: int) -> Counted:
    statements = (
        Statement("SELECT  1", calls=10, rows=100, pages=pages, absent=5),
        Statement("COPY", calls=10, rows=100, pages=100, absent=0),
    )
    indexes = (Index("pk_tickets", levels, 100 * (levels + 1)), Index("pk_outbox", 0, 1))
    return Counted(statements, indexes, **{"updates": 0, "hot": 0} | updates)


def shown(*costs: Cost) -> dict[str, list[str]]:
    output = io.StringIO()
    show(Console(file=output, width=100), costs)
    rows = [re.split(r" {2,}", line.strip()) for line in output.getvalue().splitlines()]
    return {label: figures for label, *figures in rows}


def test_tables_of_different_sizes_are_given_the_same_batches() -> None:
    same, spread = loads(FEW, FEW), loads(MANY, FEW)
    assert same[:2] == spread[:2]
    assert [each.tickets for each in (same[2], spread[2])] == [FEW, MANY]


def test_each_record_asks_for_something_of_its_own() -> None:
    opening, changing, _ = loads(MANY, FEW)
    requests = entries(opening.kind, opening.records("a", 40))
    changes = entries(changing.kind, changing.records("a", 40))
    assert len({each.ticket_id for each in requests if isinstance(each, Request)}) == 40
    assert len({each.ticket_id for each in changes if isinstance(each, Change)}) == 40


def test_figures_are_those_of_one_record() -> None:
    rows = shown(
        Cost(FEW, "changes", 100, counted(200, 1, updates=100, hot=25)),
        Cost(MANY, "changes", 100, counted(310, 2, updates=100, hot=5)),
    )
    assert rows["open tickets"] == ["1,000", "50,000"]
    assert rows["statements"] == ["0.200", "0.200"]
    assert rows["rows"] == ["2.000", "2.000"]
    assert rows["pages"] == ["3.000", "4.100"]
    assert rows["of which not in the server's memory"] == ["0.050", "0.050"]
    assert rows["if indexes were only deeper"] == ["3.000", "4.000"]
    assert rows["tickets updated without their indexes"] == ["0.250", "0.050"]
    assert rows["pk_tickets"] == ["2.000 (1)", "3.000 (2)"]
    assert rows["SELECT 1"] == ["2.000", "3.100"]


def test_where_nothing_is_updated_no_row_tells_of_updates() -> None:
    rows = shown(Cost(FEW, "requests", 100, counted(200, 1)))
    assert not any("updated" in label for label in rows)


def test_a_deeper_index_is_gone_through_by_more_pages() -> None:
    assert explained(Index("x", 1, 200), Index("x", 2, 999)) == 300
