"""Kills this process at an await: while it is suspended there, or as soon as it came through.

By a trace function, so that nothing in the product knows of it. One kill is at many awaits: those
on the way down to this one, and those at which the other tasks are suspended. All are noted.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.scenarios.awaits import AwaitPlace, Instructions, instructions_of, path_of

Trace = Callable[[FrameType, str, Any], Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """deadly: the keys of the awaits that kill.

    is_early: just before what is awaited begins, not while it is under way. is_alone: a death
    counts for the one await that caused it, not for all others at which the process was.
    """

    deadly: frozenset[str]
    is_early: bool = False
    is_alone: bool = False


class Killer:
    """notes: the file where it is noted at which awaits the process died."""

    def __init__(self, modules: Collection[str], plan: Plan, notes: Path) -> None:
        self._plan = plan
        self._notes = notes
        self._functions = {
            (str(path_of(module)), *function): instructions
            for module in modules
            for function, instructions in instructions_of(module).items()
            if instructions.during
        }
        self._known: dict[CodeType, Instructions | None] = {}

    def start(self) -> None:
        sys.settrace(self._on_call)

    def _instructions(self, code: CodeType) -> Instructions | None:
        if code not in self._known:
            function = (code.co_filename, code.co_qualname, code.co_firstlineno)
            self._known[code] = self._functions.get(function)
        return self._known[code]

    def _on_call(self, frame: FrameType, event: str, argument: object) -> Trace | None:  # noqa: ARG002  the interpreter's signature
        if self._instructions(frame.f_code) is None:
            return None
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return self._on_event

    def _on_event(self, frame: FrameType, event: str, argument: object) -> Trace:  # noqa: ARG002  the interpreter's signature
        instructions = self._instructions(frame.f_code)
        assert instructions is not None
        place = None
        if event == "return":  # also where it is suspended
            place = instructions.during.get(frame.f_lasti)
        elif event == "opcode":
            moments = instructions.before if self._plan.is_early else instructions.after
            place = moments.get(frame.f_lasti)
        if place is not None and place.key in self._plan.deadly:
            self._kill(frame, place)
        return self._on_event

    def _kill(self, frame: FrameType, place: AwaitPlace) -> None:
        places = {place}
        if not self._plan.is_alone:
            places |= set(self._above(frame.f_back))
            for task in asyncio.all_tasks():
                places |= set(self._below(task.get_coro()))
        with self._notes.open("w") as notes:
            notes.writelines(f"{each.key}\n" for each in places)
        os.kill(os.getpid(), signal.SIGKILL)

    def _above(self, frame: FrameType | None) -> Iterator[AwaitPlace]:
        """The awaits of the functions that called this one."""
        while frame is not None:
            yield from self._at(frame)
            frame = frame.f_back

    def _below(self, awaited: Any) -> Iterator[AwaitPlace]:  # noqa: ANN401  coroutines, and what they end in
        """The awaits of a coroutine, of the one that it waits for, and so on."""
        while awaited is not None:
            if (frame := getattr(awaited, "cr_frame", None)) is not None:
                yield from self._at(frame)
            awaited = getattr(awaited, "cr_await", None)

    def _at(self, frame: FrameType) -> Iterator[AwaitPlace]:
        instructions = self._instructions(frame.f_code)
        if instructions is not None and frame.f_lasti in instructions.during:
            yield instructions.during[frame.f_lasti]
