"""How far a long piece of work is, told to whoever looks: the command line, or nobody."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, Self


class Advancing(Protocol):
    """Is told how many more of something are read."""

    def advance(self, number: int) -> None: ...


Watch = Callable[[int | None, str], AbstractContextManager[Advancing]]
"""Makes what is told, of how many there are (None: nobody knows), and of what."""


class Unwatched:
    """Nobody looks."""

    def __init__(self, _total: int | None, _unit: str) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, number: int) -> None: ...
