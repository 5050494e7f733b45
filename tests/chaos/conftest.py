"""The scenarios' worlds, for runs that take longer than anybody waits for a test."""

from tests.scenarios.conftest import own_stack, own_template, own_world, worlds

__all__ = ["own_stack", "own_template", "own_world", "worlds"]
