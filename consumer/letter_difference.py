"""What an edit of a dead letter changed, path by path. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from consumer.letter_content import Unreadable, content_of
from handlers.change_facts import same
from schemas.envelope import Headers


class Difference(NamedTuple):
    """One of them. before, after: JSON values; None is also what is absent."""

    path: str
    before: Any
    after: Any


def differences(before: bytes | None, after: bytes, headers: Headers) -> list[Difference] | None:
    """From one value to the other; None where only their bytes as a whole can be compared.

    Paths are those of the message; what differs around it in a CloudEvent begins with `event:`.
    """
    try:
        one, other = content_of(before, headers), content_of(after, headers)
    except Unreadable:
        return None
    around = _between(_envelope(one.event), _envelope(other.event), "event:")
    return around + _between(one.data, other.data, "")


def _envelope(event: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: each for name, each in (event or {}).items() if not name.startswith("data")}


def _between(before: Any, after: Any, path: str) -> list[Difference]:  # noqa: ANN401  any JSON values
    match before, after:
        case dict(), dict():
            names = [*before, *(name for name in after if name not in before)]
            pairs = [(name, before.get(name), after.get(name)) for name in names]
        case list(), list() if len(before) == len(after):
            pairs = [
                (str(index), one, other)
                for index, (one, other) in enumerate(zip(before, after, strict=True))
            ]
        case _ if same(before, after):
            return []
        case _:
            return [Difference(path or "value", before, after)]
    return [
        difference
        for name, one, other in pairs
        for difference in _between(one, other, _joined(path, name))
    ]


def _joined(path: str, name: str) -> str:
    return f"{path}{name}" if not path or path.endswith(":") else f"{path}.{name}"
