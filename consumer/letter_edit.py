"""Edits of dead letters: values put at paths, a merge patch, or another value. Pure.

The letter stays as it was: what an edit makes of its value is handled in its place.
"""

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from consumer.letter_content import Claim, Content, Unreadable, claim_of, content_of
from handlers.change_facts import same
from schemas.envelope import Headers
from schemas.exact_json import NotJson, parse
from schemas.problems import kind_of

IDENTITY: Final = ("tenant_id", "request_id")
"""The fields of a message that say who its request is."""

NEW_IDENTITY: Final = (
    "An edit of {names} makes another request of it: give --new-identity, if it is to be one."
)

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,6})\]")
_INDEX: Final = re.compile(r"\d{1,6}")
_MONSTER: Final[int] = 10**400
"""From here on integers are not read as what they are (schemas.exact_json)."""

Path = tuple[str, ...]


class UnusableEdit(ValueError):
    """An edit that is none, whatever the letter: a sentence."""


class NotEditable(ValueError):
    """Why a letter can't be edited so, as the end of a sentence."""


class Put(NamedTuple):
    """A value to be put at a path, such as ("attachments", "0", "url")."""

    path: Path
    value: Any


@dataclass(frozen=True, slots=True)
class Edit:
    """Everything that is done to a value, in this order. patch: None for none (RFC 7396)."""

    value: bytes | None = None
    patch: dict[str, Any] | None = None
    puts: Sequence[Put] = ()

    @property
    def is_nothing(self) -> bool:
        return self.value is None and self.patch is None and not self.puts

    @property
    def identity(self) -> list[str]:
        """The fields that it names which say who a request is."""
        named = {put.path[0] for put in self.puts} | set(self.patch or {})
        return [name for name in IDENTITY if name in named]

    def describe(self) -> str:
        """In a few words, for who is asked whether to do it."""
        parts = [] if self.value is None else [f"the value replaced by {len(self.value)} bytes"]
        if self.patch is not None:
            parts.append(f"patch of {', '.join(self.patch) or 'nothing'}")
        parts += [f"{written(put.path)}={_brief(put.value)}" for put in self.puts]
        return ", ".join(parts)


def parse_put(text: str) -> Put:
    """Read PATH=VALUE; the value is JSON where it can be read as such, else text."""
    path, sign, value = text.partition("=")
    if not sign:
        raise UnusableEdit(f"--set {text!r} has no =; write PATH=VALUE, such as priority=high.")
    try:
        return Put(_path(path.strip()), parse(value.encode()))
    except NotJson:
        return Put(_path(path.strip()), value)
    except UnicodeEncodeError:
        raise UnusableEdit(f"--set {path}: the value is not text in UTF-8.") from None


def parse_patch(content: bytes, name: str) -> dict[str, Any]:
    """Read a merge patch (RFC 7396), which must be an object. name: of its file."""
    try:
        patch = parse(content)
    except NotJson as error:
        raise UnusableEdit(f"{name} {error.problem}; a patch is a JSON object.") from None
    if not isinstance(patch, dict):
        raise UnusableEdit(f"{name} is {kind_of(patch)}; a patch is a JSON object.")
    return patch


def _path(text: str) -> Path:
    """A path, its indexes also as errors write them: attachments[0].url, attachments.0.url."""
    steps: list[str] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (at == 0 and text[0] == "."):
            break
        steps.append(found[1] or found[2])
        at = found.end()
    if not steps or at < len(text):
        raise UnusableEdit(
            f"--set {text!r} is no path; write names and indexes joined by dots, such as"
            " attachments.0.url."
        )
    return tuple(steps)


def written(path: Path) -> str:
    """A path as it is read."""
    return ".".join(path)


def edited(value: bytes | None, headers: Headers, edit: Edit) -> bytes:
    """The value after the edit. Raises NotEditable."""
    if edit.value is not None:
        value = edit.value
    if edit.patch is None and not edit.puts:
        return value or b""
    try:
        content = content_of(value, headers)
    except Unreadable as error:
        raise NotEditable(f"{error}: only --value-from can replace it") from None
    data = deepcopy(content.data)
    if edit.patch is not None:
        data = merged(data, edit.patch)
    for put in edit.puts:
        data = with_put(data, put)
    return _encoded(_whole(content, data))


def sets_identity(value: bytes | None, after: bytes, headers: Headers) -> list[str]:
    """Which parts of who a request is differ after an edit."""
    one, other = claim_of(value, headers), claim_of(after, headers)
    return [
        name
        for name, was, is_now in zip(Claim._fields, one, other, strict=True)
        if not same(was, is_now)
    ]


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401  any JSON value
    """A merge patch applied. Source: RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def with_put(data: Any, put: Put) -> Any:  # noqa: ANN401  any JSON value
    """The data with a value put at a path: names that are missing on the way become objects."""
    return _put(data, put.path, put.value, put.path)


def _put(data: Any, left: Path, value: Any, path: Path) -> Any:  # noqa: ANN401  any JSON value
    if not left:
        return value
    step, rest = left[0], left[1:]
    match data:
        case None:
            return {step: _put(None, rest, value, path)}
        case dict():
            return {**data, step: _put(data.get(step), rest, value, path)}
        case list() if _INDEX.fullmatch(step) and int(step) <= len(data):
            index = int(step)
            item = data[index] if index < len(data) else None
            return [*data[:index], _put(item, rest, value, path), *data[index + 1 :]]
        case list():
            raise NotEditable(
                f"{_before(path, left)} is a list of {len(data)}, which has no place {step}"
            )
        case _:
            raise NotEditable(f"{_before(path, left)} is {kind_of(data)}, which has no {step}")


def _before(path: Path, left: Path) -> str:
    return written(path[: len(path) - len(left)]) or "its value"


def _whole(content: Content, data: Any) -> Any:  # noqa: ANN401  any JSON value
    if content.event is None:
        return data
    event = {name: each for name, each in content.event.items() if name != "data_base64"}
    return {**event, "data": data}


def _encoded(document: Any) -> bytes:  # noqa: ANN401  any JSON value
    """As JSON again. What a double or Python can't hold would come out as another number."""
    if _holds_monster(document):
        raise NotEditable("it holds a number too long to be written again")
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can write
        return json.dumps(document, separators=(",", ":")).encode()
    except ValueError:
        raise NotEditable("it holds a number too large for a double") from None


def _holds_monster(document: object) -> bool:
    match document:
        case dict():
            return any(map(_holds_monster, document.values()))
        case list():
            return any(map(_holds_monster, document))
        case bool():
            return False
        case int():
            return bool(abs(document) >= _MONSTER)
        case _:
            return False


def _brief(value: object, most: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}..."
