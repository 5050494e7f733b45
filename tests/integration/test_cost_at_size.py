"""`python -m benchmarks.cost_at_size` on real PostgreSQL: counts only, and small tables."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SIZES = 500, 10_000
SLACK = 1.05
"""Where a page is split, or has room, depends on the rows that are there."""


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    file: Path = tmp_path_factory.mktemp("cost") / "figures.json"
    words = f"--sizes {SIZES[0]} {SIZES[1]} --batch 100 --batches 3 --json {file}"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cost_at_size", *words.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "if indexes were only deeper" in done.stdout
    found: list[dict[str, Any]] = json.loads(file.read_text())["costs"]
    return found


def pairs(costs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The counts of the same load over the smaller and the larger table."""
    small, large = ([each for each in costs if each["size"] == size] for size in SIZES)
    return [(one["counted"], other["counted"]) for one, other in zip(small, large, strict=True)]


def total(counted: dict[str, Any], name: str) -> int:
    return sum(each[name] for each in counted["statements"])


def test_the_same_batches_are_as_many_statements_and_rows(costs: list[dict[str, Any]]) -> None:
    assert len(pairs(costs)) == 3
    for small, large in pairs(costs):
        assert total(small, "calls") == total(large, "calls")
        assert total(small, "rows") == total(large, "rows")


def test_they_touch_no_more_pages_than_deeper_indexes_explain(costs: list[dict[str, Any]]) -> None:
    for small, large in pairs(costs)[:2]:  # changes all over a table find less room on its pages
        levels = {each["name"]: each["levels"] for each in large["indexes"]}
        deeper = sum(
            each["pages"] * (levels[each["name"]] - each["levels"]) / (each["levels"] + 1)
            for each in small["indexes"]
        )
        assert total(large, "pages") <= SLACK * (total(small, "pages") + deeper)
