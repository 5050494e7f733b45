"""What operators hear of policies that this program can't understand."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from structlog.testing import capture_logs

from consumer.metrics import Metrics
from consumer.policy_watch import PolicyWatch
from handlers.batch import Handled
from handlers.routing import PolicyUnreadable
from tests.records import NOON


class Watched:
    """A watch, and what it tells."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.watch = PolicyWatch(self.metrics)

    def note(
        self, versions: Mapping[str, int], *unreadable: PolicyUnreadable
    ) -> list[MutableMapping[str, Any]]:
        with capture_logs() as lines:
            self.watch.note(
                Handled(NOON, [], [], [], [], None, versions=versions, unreadable=unreadable)
            )
        return lines

    @property
    def tenants(self) -> float | None:
        return self.metrics.registry.get_sample_value("ticketing_policies_unreadable")


def unreadable(tenant_id: str, version: int) -> PolicyUnreadable:
    found = PolicyUnreadable(tenant_id, version)
    found.__cause__ = ValueError("line one\nline two " + "x" * 1_000)
    return found


def test_a_version_is_told_of_once_with_what_holds_instead() -> None:
    watched = Watched()
    (line,) = watched.note({"north": 1, "south": 4}, unreadable("north", 2))
    assert {**line, "reason": ""} == {
        "event": "policy.unreadable",
        "log_level": "error",
        "tenant_id": "north",
        "version": 2,
        "in_force": 1,
        "reason": "",
    }
    assert line["reason"].startswith("ValueError: line one line two x")
    assert len(line["reason"]) == 200
    assert watched.note({"north": 1}, unreadable("north", 2)) == []
    assert len(watched.note({"north": 1}, unreadable("north", 3))) == 1


def test_a_tenant_counts_for_as_long_as_it_does_without_its_newest_version() -> None:
    watched = Watched()
    watched.note({"north": 1}, unreadable("north", 2), unreadable("south", 1))
    assert watched.tenants == 2
    watched.note({"west": 1})
    assert watched.tenants == 2
    watched.note({"north": 3})
    assert watched.tenants == 1
    watched.note({"south": 2})
    assert watched.tenants == 0


def test_a_clocks_version_that_is_no_longer_in_force_is_told_of_and_does_not_count() -> None:
    watched = Watched()
    (line,) = watched.note({"north": 3}, PolicyUnreadable("north", 2))
    assert (line["version"], line["in_force"]) == (2, 3)
    assert "no such SLA policy" in line["reason"]
    assert watched.tenants == 0
