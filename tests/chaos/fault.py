"""What a fault of the chaos run is: something that is done to the scene, held, and undone."""

from typing import Protocol

from tests.chaos.scene import Scene


class Fault(Protocol):
    """One row of the table.

    A frozen dataclass does: `FAULTS` in `tests.chaos.matrix` lists them. Whatever a fault draws
    at random it draws from `scene.rng`, so that a seed repeats it.
    """

    @property
    def name(self) -> str:
        """A few words, unique in the matrix, such as `the database is killed`."""

    async def strike(self, scene: Scene) -> None:
        """Do it while the load runs, hold it, undo it; return when it is undone.

        Waiting for what must happen while it lasts (a page says so, a row appears) is part of it.
        Nothing has to be checked: the run waits until everything is at rest, measures how long
        that took, and has the checker look at all that came since the strike began.
        """
