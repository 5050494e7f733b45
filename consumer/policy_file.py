"""A policy as a file: YAML or JSON, with the line of everything that may be wrong in it.

Of YAML 1.2 only what JSON has, written more comfortably: `no`, `12:30` and `2026-12-25` are text,
as people expect. The file is composed into nodes and never constructed into objects.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
import yaml

from schemas.forms import Step
from schemas.policy import Policy
from schemas.policy_check import judge
from schemas.policy_fault import Fault
from schemas.problems import written

MOST_BYTES: Final = 256 * 1024
MOST_NODES: Final = 50_000
DEEPEST: Final = 20
FORM: Final = "a policy in YAML or JSON"
UNTAGGED: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER: Final = re.compile(r"[-+]?[0-9]{1,400}")
NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

Path = tuple[Step, ...]


class InvalidPolicy(Exception):
    """One sentence a line, each with the file, the line and the field at fault."""

    def __init__(self, file: str, faults: list[tuple[int, str]]) -> None:
        super().__init__("\n".join(f"{file}:{line}: {sentence}" for line, sentence in faults))
        self.count = len(faults)


class Unreadable(Exception):
    """The file can't be understood from this line on."""

    def __init__(self, line: int, problem: str, form: str = FORM) -> None:
        super().__init__(f"{problem}; expected {form}")
        self.line = line


class Document(NamedTuple):
    """What a file says. lines: where each of its parts stands, from 1."""

    value: object
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of this part, or of the nearest one around it that the file has."""
        return next(
            self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines
        )


def read_policy(file: str, content: bytes) -> Policy:
    """The policy in a file. Raises InvalidPolicy with all its faults, in the order of its lines."""
    try:
        document = read_document(content)
    except Unreadable as error:
        raise InvalidPolicy(file, [(error.line, str(error))]) from None
    judged = judge(document.value)
    if isinstance(judged, Policy):
        return judged
    faults = [(document.line_of(fault.path), _told(fault, document)) for fault in judged]
    raise InvalidPolicy(file, sorted(faults, key=lambda fault: fault[0]))


def _told(fault: Fault, document: Document) -> str:
    """The fault, its path as the file has it: one value may stand there for a list of one."""
    path = fault.path
    if path and path[-1] == 0 and path not in document.lines:
        fault = fault._replace(path=path[:-1])
    return fault.message


def read_document(content: bytes) -> Document:
    """The values in a file and their lines, not judged. Raises Unreadable."""
    if len(content) > MOST_BYTES:
        raise Unreadable(1, f"the file has {len(content):,} bytes", f"at most {MOST_BYTES:,} bytes")
    text = _text(content)
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise Unreadable(mark.line + 1 if mark else 1, f"this is not YAML ({problem})") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{error.character:04X} may not stand in YAML"
        raise Unreadable(line, problem, "printable text, or an escape between quotes") from None
    except RecursionError:
        raise _too_deep(1) from None
    if root is None:
        raise Unreadable(1, "the file is empty")
    reading = _Reading()
    value = reading.value_of(root, (), root.start_mark.line + 1)
    return Document(value, reading.lines)


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"the byte 0x{content[error.start]:02x} is not UTF-8 text"
        raise Unreadable(line, problem, "a file saved as UTF-8") from None
    return text.replace("\t", " ") if _is_json(text) else text


def _is_json(text: str) -> bool:
    """JSON is YAML but for tabs between values; within its texts there are none."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def _too_deep(line: int) -> Unreadable:
    return Unreadable(line, "this is nested too deep", f"at most {DEEPEST} levels")


class _Reading:
    """One walk through the nodes of a file. An alias is what it stands for, once more."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}

    def value_of(self, node: yaml.Node, path: Path, line: int) -> Any:  # noqa: ANN401  any JSON value
        if len(self.lines) >= MOST_NODES:
            raise Unreadable(line, "this has too many values", f"at most {MOST_NODES:,} of them")
        if len(path) > DEEPEST:
            raise _too_deep(line)
        if node.tag not in UNTAGGED:
            raise Unreadable(line, f"{written(path) or 'policy'}: has the tag {node.tag}", "none")
        self.lines[path] = line
        match node:
            case yaml.MappingNode():
                return dict(self._entries(node, path))
            case yaml.SequenceNode():
                return [
                    self.value_of(item, (*path, index), item.start_mark.line + 1)
                    for index, item in enumerate(node.value)
                ]
            case yaml.ScalarNode():
                return _scalar(node, path, line)
            case _:
                raise TypeError("YAML has three kinds of nodes")

    def _entries(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = _name(key, path, line)
            if name in seen:
                problem = f"stands here again, after line {seen[name]}"
                raise Unreadable(line, f"{written((*path, name))}: {problem}", "each field once")
            seen[name] = line
            yield name, self.value_of(value, (*path, name), line)


def _name(key: yaml.Node, path: Path, line: int) -> str:
    """A field's name, which is text however it looks."""
    where = written(path) or "policy"
    if not isinstance(key, yaml.ScalarNode) or key.tag not in UNTAGGED:
        raise Unreadable(line, f"{where}: has a name that is no text", "text before each colon")
    return _storable(key.value, f"{where}: has a name that", line)


def _scalar(node: yaml.ScalarNode, path: Path, line: int) -> object:
    text: str = node.value
    if node.style is not None:
        return _storable(text, f"{written(path) or 'policy'}:", line)
    plain = plain_value(text)
    if isinstance(plain, str):
        return _storable(plain, f"{written(path) or 'policy'}:", line)
    return plain


def plain_value(text: str) -> object:
    """What text without quotes means: null, true, false, a number, or itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text


def _storable(text: str, where: str, line: int) -> str:
    """The text with pairs of surrogates, as JSON escapes them, made one character each.

    Half a pair is no character, and U+0000 is kept by no database.
    """
    if "\0" in text:
        raise Unreadable(line, f"{where} holds U+0000", "text that a database can hold")
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        problem = f"{where} holds half of a surrogate pair"
        raise Unreadable(line, problem, "text that a database can hold") from None
