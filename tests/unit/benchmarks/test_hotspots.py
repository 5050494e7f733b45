"""Shares of samples, by a function itself and with all that it calls."""

import pytest

from benchmarks.hotspots import show


def test_a_recursive_function_counts_once_in_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    show(["main;walk;walk;read 3", "main;wait 1"])
    own, with_callees = capsys.readouterr().out.split("with callees\n")
    assert own.splitlines() == ["", "own time", " 75.0%  read", " 25.0%  wait", ""]
    assert " 75.0%  walk" in with_callees.splitlines()
    assert "100.0%  main" in with_callees.splitlines()
