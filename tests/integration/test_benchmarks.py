"""`make bench` still works, and the costs that don't depend on the machine hold. No times here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.program import NAIVE, PRODUCT
from devstack.stack import Stack

TICKETS = 5_000


@pytest.fixture(scope="module")
def figures(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one quick run measured, by contestant."""
    file: Path = tmp_path_factory.mktemp("bench") / "figures.json"
    words = f"--quick --tickets {TICKETS} --of product naive --only throughput latency traffic"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words.split(), "--json", str(file)],
        env=os.environ
        | {
            "TICKETING_TEST_DATABASE_URL": stack.postgres.url,
            "TICKETING_TEST_KAFKA_BOOTSTRAP_SERVERS": stack.kafka.bootstrap_servers,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tickets/s end to end" in done.stdout
    found: dict[str, Any] = json.loads(file.read_text())["figures"]
    return found


def test_the_naive_rival_writes_three_rows_and_leaves_one_dead(figures: dict[str, Any]) -> None:
    run = figures[NAIVE.name]["throughput"]
    assert run["rows"]["inserted"] == 3 * run["rows_of_tickets"]
    assert run["rows"]["deleted"] == run["rows_of_tickets"]
    assert figures[NAIVE.name]["traffic"]["statements"] > 5 * run["tickets"]


def test_a_ticket_of_ours_is_six_rows_and_leaves_none_dead(figures: dict[str, Any]) -> None:
    run = figures[PRODUCT.name]["throughput"]
    rows, tickets = run["rows"], run["rows_of_tickets"]
    assert 6 * tickets <= rows["inserted"] < 6.1 * tickets  # two of them are its clocks
    assert rows["updated"] + rows["deleted"] < 0.1 * tickets
    assert run["repeated_facts"] == 0


def test_a_batch_shares_its_statements(figures: dict[str, Any]) -> None:
    traffic = figures[PRODUCT.name]["traffic"]
    assert traffic["tickets"] == TICKETS
    assert traffic["statements"] < 0.05 * TICKETS
    assert traffic["round_trips"] < 0.05 * TICKETS


def test_the_ceiling_has_the_runs_own_tickets(figures: dict[str, Any]) -> None:
    run, ceiling = figures[PRODUCT.name]["throughput"], figures[PRODUCT.name]["ceiling"]
    assert ceiling["tickets"] == run["rows_of_tickets"]


def test_every_request_at_a_steady_rate_is_answered(figures: dict[str, Any]) -> None:
    for each in figures.values():
        for latency in each["latencies"]:
            assert latency["requests"] > 0
            assert 0 < latency["readable"]["p50"] <= latency["readable"]["max"]
