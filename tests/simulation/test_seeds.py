"""The promise under everything that the seeds bring about; each failure names its seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.run import run

SEEDS = range(1, 501)
ROOT = Path(__file__).resolve().parents[2]


def test_no_seed_breaks_the_promise() -> None:
    verdicts = [run(seed) for seed in SEEDS]
    broken = [str(verdict) for verdict in verdicts if verdict.violations]
    assert broken == []
    assert sum(verdict.faults for verdict in verdicts) > len(SEEDS), "hardly anything went wrong"


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    found = next((verdict for seed in SEEDS if (verdict := run(seed, bug=bug)).violations), None)
    assert found is not None, f"no seed finds {bug}"


def test_a_seed_is_the_same_in_every_process() -> None:
    """Whatever the hashes of strings are, and where objects lie in memory."""
    traces = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "7"],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert traces == {f"{run(7)}\n".encode()}
