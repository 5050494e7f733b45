"""Reading what this machine says about itself."""

import pytest

from devstack.machine import parse_java_version


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\n', 17),
        ('java version "21" 2023-09-19 LTS\n', 21),
        ('openjdk version "1.8.0_452"\n', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25.0.1" 2025-10-21\n', 25),
        ("No Java runtime present, requesting install.\n", None),
    ],
)
def test_javas_version_is_read_from_what_it_says(said: str, version: int | None) -> None:
    assert parse_java_version(said) == version
