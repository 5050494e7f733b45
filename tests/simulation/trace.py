"""What happened, step by step: the same seed gives the same lines, and so the same hash."""

from collections.abc import Callable
from hashlib import sha256
from itertools import islice


class Trace:
    """now: in virtual seconds. show: what else to do with each line."""

    def __init__(
        self, now: Callable[[], float], show: Callable[[str], object] | None = None
    ) -> None:
        self._now = now
        self._show = show
        self._digest = sha256()
        self.lines = 0

    def note(self, who: str, what: str) -> None:
        line = f"{self._now():10.4f} {who:<6} {what}"
        self.lines += 1
        self._digest.update(line.encode())
        if self._show is not None:
            self._show(line)

    @property
    def hash(self) -> str:
        return "".join(islice(self._digest.hexdigest(), 16))
