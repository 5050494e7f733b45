"""Processor time and memory of whole process trees, from /proc (Linux; elsewhere unknown)."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_PROC = Path("/proc")
_SAMPLE_SECONDS = 0.25
_PPID, _CPU_TIMES = 1, slice(11, 15)  # fields after the name in /proc/PID/stat: see proc(5)


def _stat(pid: int) -> list[str] | None:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


def tree(root: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[_PPID]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with that of children which ended and were waited for."""
    ticks = sum(
        int(ticks) for pid in tree(root) if (fields := _stat(pid)) for ticks in fields[_CPU_TIMES]
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_fields(pid: int) -> dict[str, int]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines if line.startswith(("VmHWM", "Rss")))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def memory_bytes(root: int) -> int:
    """Each process's own pages, and the largest view of the shared ones (shared_buffers, code)."""
    each = [fields for pid in tree(root) if (fields := _memory_fields(pid))]
    own = sum(fields["RssAnon"] for fields in each)
    shared = (max((fields[name] for fields in each), default=0) for name in ("RssFile", "RssShmem"))
    return own + sum(shared)


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    """Monotonic seconds."""
    memory: dict[str, int]


class Meter:
    """Watches named process trees; a name without a process id is simply left out."""

    def __init__(self, roots: Mapping[str, int | None]) -> None:
        known = {name: pid for name, pid in roots.items() if pid is not None}
        self._roots = {name: pid for name, pid in known.items() if _stat(pid)}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self.samples: list[Sample] = []

    def cpu_seconds(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._roots.items()}

    def peaks(self) -> dict[str, int]:
        """The largest sum seen of a tree, or its root's own high-water mark where that is more."""
        self._take_sample()
        return {
            name: max(
                _memory_fields(pid).get("VmHWM", 0),
                *(sample.memory[name] for sample in self.samples),
            )
            for name, pid in self._roots.items()
        }

    def _take_sample(self) -> None:
        now = {name: memory_bytes(pid) for name, pid in self._roots.items()}
        self.samples.append(Sample(time.monotonic(), now))

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._take_sample()

    def __enter__(self) -> Self:
        self._take_sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
