"""The three pages: /livez is about this process alone, /readyz about what it needs, /metrics."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST

from consumer.dependencies import Dependencies
from consumer.http_server import Page, Pages, json_page
from consumer.metrics import Metrics
from consumer.watchdog import Watchdog
from db.pauses import Pause


class Health:
    """What the process knows of its own state; one instance, made in compose."""

    def __init__(self, dependencies: Dependencies, watchdog: Watchdog, metrics: Metrics) -> None:
        self._dependencies = dependencies
        self._watchdog = watchdog
        self._metrics = metrics
        self._unready: dict[str, str] = {}
        self._pauses: Callable[[], Sequence[Pause]] = tuple

    def show_pauses(self, pauses: Callable[[], Sequence[Pause]]) -> None:
        """Have /readyz list them.

        A pause by people is theirs to end, and no deployment waits for it; one by the ceiling says
        that something is wrong.
        """
        self._pauses = pauses

    def unready(self, name: str, reason: str) -> None:
        """Say why `name` is not ready, such as "customer topics: 120 records left"."""
        self._unready[name] = reason

    def ready(self, name: str) -> None:
        """Take back what `unready` said of `name`."""
        self._unready.pop(name, None)

    def pages(self) -> Pages:
        """Return what http_server serves."""
        return {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics_page}

    def problems(self) -> list[str]:
        """Return why the process isn't ready; empty where it is."""
        absent = [
            f"{name} does not answer: {state.reason}"
            for name, state in self._dependencies.states.items()
            if not state.is_up
        ]
        over = [
            f"{each.topic} is paused: {each.reason}" for each in self._pauses() if each.is_ceiling
        ]
        return self._watchdog.problems() + absent + list(self._unready.values()) + over

    async def _livez(self) -> Page:
        problems = self._watchdog.problems()
        return json_page(not problems, {"live": not problems, "problems": problems})

    async def _readyz(self) -> Page:
        problems = self.problems()
        dependencies = {
            name: {"up": state.is_up, "since": state.since, "reason": state.reason}
            for name, state in self._dependencies.states.items()
        }
        return json_page(
            not problems,
            {
                "ready": not problems,
                "problems": problems,
                "dependencies": dependencies,
                "paused": [_shown(each) for each in self._pauses()],
            },
        )

    async def _metrics_page(self) -> Page:
        return Page(HTTPStatus.OK, CONTENT_TYPE_LATEST, self._metrics.rendered())


def _shown(pause: Pause) -> dict[str, object]:
    return {
        "topic": pause.topic,
        "reason": pause.reason,
        "since": pause.paused_at,
        "by": pause.paused_by,
        "is_ceiling": pause.is_ceiling,
    }
