"""Every await of a module, by its syntax tree, and where each is in the compiled code.

`async with` and `async for` await too. A place in compiled code is told by the position that the
compiler keeps for each instruction.
"""

import ast
import dis
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]

FIRST = frozenset({"GET_AWAITABLE", "GET_ANEXT"})
OF_AN_AWAIT = FIRST | {"SEND", "YIELD_VALUE"}
Span = tuple[int | None, int | None, int | None, int | None]


@dataclass(frozen=True, slots=True, order=True)
class AwaitPlace:
    """One await, by its first line and column. source: that line."""

    module: str
    line: int
    column: int
    source: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.source}"

    @property
    def key(self) -> str:
        """What tells it from every other, for a file."""
        return f"{self.module}:{self.line}:{self.column}"


def path_of(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def modules_behind(*roots: str) -> frozenset[str]:
    """These modules of the machine and all that they import of it, where there is any await."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported_by(module)
    return frozenset(module for module in found if awaits_of(module))


def _imported_by(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        match node:
            case ast.ImportFrom(module="consumer"):
                yield from (f"consumer.{alias.name}" for alias in node.names)
            case ast.ImportFrom(module=str(name)) if name.startswith("consumer."):
                yield name
            case _:
                pass


def awaits_of(module: str) -> frozenset[AwaitPlace]:
    """Every await in a module."""
    return frozenset(place for _, place in _spans(module))


@cache
def _spans(module: str) -> tuple[tuple[Span, AwaitPlace], ...]:
    """All spans that the compiler may give an await's instructions, and whose they are."""
    text = path_of(module).read_text()
    lines = text.splitlines()
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Await, ast.AsyncWith, ast.AsyncFor, ast.comprehension)):
            continue
        if isinstance(node, ast.comprehension):
            assert not node.is_async, f"an asynchronous comprehension in {module}: tell it apart"
            continue
        source = lines[node.lineno - 1].strip()
        place = AwaitPlace(module, node.lineno, node.col_offset, source)
        inner = [item.context_expr for item in getattr(node, "items", ())]
        for each in (node, *inner):
            span = (each.lineno, each.end_lineno, each.col_offset, each.end_col_offset)
            found.append((span, place))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Instructions:
    """Of one function. before: where an await begins; during: all of it; after: behind it."""

    before: Mapping[int, AwaitPlace]
    during: Mapping[int, AwaitPlace]
    after: Mapping[int, AwaitPlace]


def instructions_of(module: str) -> dict[tuple[str, int], Instructions]:
    """By function: its name and first line."""
    path = path_of(module)
    spans = dict(_spans(module))
    return {
        (code.co_qualname, code.co_firstlineno): _of_function(code, spans)
        for code in _functions(compile(path.read_text(), str(path), "exec"))
    }


def _functions(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _functions(constant)


def _of_function(code: CodeType, spans: Mapping[Span, AwaitPlace]) -> Instructions:
    before: dict[int, AwaitPlace] = {}
    during: dict[int, AwaitPlace] = {}
    after: dict[int, AwaitPlace] = {}
    for instruction in dis.get_instructions(code):
        at = instruction.positions
        if instruction.opname not in OF_AN_AWAIT or at is None:
            continue
        place = spans.get((at.lineno, at.end_lineno, at.col_offset, at.end_col_offset))
        if place is None:
            continue
        during[instruction.offset] = place
        if instruction.opname in FIRST:
            before[instruction.offset] = place
        if instruction.opname == "SEND":
            after[int(instruction.argval)] = place
    return Instructions(before, during, after)
