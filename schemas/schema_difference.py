"""How one JSON Schema differs from another: what it asks more, asks less, or asks otherwise. Pure.

It knows the keywords that our schemas are made of. What it can't compare it calls other, never
alike: a gate that stands on it errs on the safe side.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.pattern_difference import of_patterns
from schemas.schema_change import Change, Difference

Schema = Mapping[str, Any]

_SILENT: Final = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "discriminator"}
)
"""Keywords that judge no value."""

_LEAST: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_MOST: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_COMPARED: Final = frozenset(
    {
        *_LEAST,
        *_MOST,
        *("type", "enum", "const", "pattern", "format", "default", "allOf"),
        *("properties", "required", "additionalProperties", "items"),
    }
)
_ANYTHING: Final = "anything"
_INTEGER: Final = "an integer"
_NUMBER: Final = "a number"
_NAMES: Final = {
    "null": "null",
    "boolean": "true or false",
    "integer": _INTEGER,
    "number": _NUMBER,
    "string": "text",
    "array": "a list",
    "object": "an object",
    "anything": _ANYTHING,
}


class Walk:
    """A comparison of two documents, each with its own `$defs`."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def whole(self) -> Iterator[Difference]:
        return self._compare(self._old, self._new, "")

    def _compare(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        """Between what two schemas let pass at this path."""
        yield from _defaults(old, new, path)
        was, now = list(_alternatives(old, self._old)), list(_alternatives(new, self._new))
        is_union = max(_objects(was), _objects(now)) > 1
        before, after = _by_kind(was, is_union=is_union), _by_kind(now, is_union=is_union)
        yield from _of_kinds(before, after, path)
        for kind in before:
            if kind in after:
                yield from self._among(before[kind], after[kind], path)

    def _among(
        self, old: Sequence[Schema], new: Sequence[Schema], path: str
    ) -> Iterator[Difference]:
        """Between the alternatives of one kind, which keep their order."""
        for was, now in zip(old, new, strict=False):
            yield from self._one(was, now, path)
        if len(old) < len(new):
            yield Difference(path, Change.WIDENED, "has another form beside those that it had")
        elif len(new) < len(old):
            yield Difference(path, Change.NARROWED, "has lost one of its forms")

    def _one(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        yield from _words(old, new, path)
        yield from _bounds(old, new, path)
        yield from _forms(old, new, path)
        yield from _rules(old, new, path)
        yield from self._fields(old, new, path)
        yield from _required(old, new, path)
        yield from self._rest(old, new, path, "additionalProperties", f"{path}.*".lstrip("."))
        yield from self._rest(old, new, path, "items", f"{path}[]")
        for name in sorted((old.keys() | new.keys()) - _SILENT - _COMPARED):
            if old.get(name) != new.get(name):
                yield Difference(path, Change.OTHER, f"{name} is another one")

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in (*before, *(name for name in after if name not in before)):
            place = f"{path}.{name}".lstrip(".")
            if name not in after:
                yield Difference(place, Change.REMOVED, "is no longer a field")
            elif name not in before:
                yield Difference(place, Change.ADDED, "is a new field")
            else:
                yield from self._compare(before[name], after[name], place)

    def _rest(
        self, old: Schema, new: Schema, path: str, name: str, place: str
    ) -> Iterator[Difference]:
        """Between what two schemas say of all items, or of all fields without a name."""
        was, now = old.get(name, True), new.get(name, True)
        what = "fields without a rule" if name == "additionalProperties" else "items"
        match was, now:
            case (dict(), dict()):
                yield from self._compare(was, now, place)
            case _ if was == now:
                pass
            case (False, _) | (_, True):
                yield Difference(path, Change.WIDENED, f"{what} may be anything now")
            case _:
                yield Difference(path, Change.NARROWED, f"{what} may no longer be anything")


def differences(old: Schema, new: Schema) -> list[Difference]:
    """Everything that another version asks otherwise."""
    return list(Walk(old, new).whole())


def _resolved(schema: Schema, document: Schema) -> Schema:
    """The schema that a reference means, with what stands beside the reference."""
    while "$ref" in schema:
        target = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{name: each for name, each in schema.items() if name != "$ref"}}
    return schema


def _alternatives(schema: Schema, document: Schema) -> Iterator[Schema]:
    """The forms that a value may have: each of one kind, or of any."""
    schema = _resolved(schema, document)
    for name in ("anyOf", "oneOf"):
        if name in schema:
            for each in schema[name]:
                yield from _alternatives(each, document)
            return
    yield schema


def _objects(alternatives: Sequence[Schema]) -> int:
    return sum(each.get("type") == "object" for each in alternatives)


def _by_kind(alternatives: Sequence[Schema], *, is_union: bool) -> dict[str, list[Schema]]:
    """The alternatives by their kind. is_union: objects are told apart by their constants."""
    found: dict[str, list[Schema]] = {}
    for each in alternatives:
        kind = _NAMES[each.get("type", "anything")]
        if is_union and "properties" in each:
            kind += "".join(
                f" whose {name} is {field['const']}"
                for name, field in each["properties"].items()
                if "const" in field
            )
        found.setdefault(kind, []).append(each)
    return found


def _of_kinds(
    before: dict[str, list[Schema]], after: dict[str, list[Schema]], path: str
) -> Iterator[Difference]:
    """What kinds of values came and went. An integer is a number, and all are anything."""
    for one, other, change, what in (
        (before, after, Change.WIDENED, "may be a fraction now"),
        (after, before, Change.NARROWED, "is an integer now"),
    ):
        if _INTEGER in one and _NUMBER in other and not (_NUMBER in one or _INTEGER in other):
            one[_NUMBER] = one.pop(_INTEGER)
            yield Difference(path, change, what)
    if _ANYTHING not in after:
        for kind in sorted(before.keys() - after.keys()):
            yield Difference(path, Change.NARROWED, f"is no longer {kind}")
    if _ANYTHING not in before:
        for kind in sorted(after.keys() - before.keys()):
            yield Difference(path, Change.WIDENED, f"may be {kind} now")


def _defaults(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    was, now = old.get("default"), new.get("default")
    if was != now:
        what = f"means {json.dumps(now)} when it is absent, no longer {json.dumps(was)}"
        yield Difference(path, Change.OTHER, what)


def _words(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    was, now = _listed(old), _listed(new)
    if was is None or now is None:
        if now is not None:
            yield Difference(path, Change.NARROWED, "is one of a list of words now")
        elif was is not None:
            yield Difference(path, Change.WIDENED, "is no longer one of a list of words")
        return
    for word in was:
        if word not in now:
            yield Difference(path, Change.NARROWED, f"{word} is no longer one of its words")
    for word in now:
        if word not in was:
            yield Difference(path, Change.WIDENED, f"{word} is one of its words now")


def _listed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    for names, is_narrower in ((_LEAST, 1), (_MOST, -1)):
        for name in names:
            was, now = old.get(name), new.get(name)
            if was == now:
                continue
            narrowed = was is None or (now is not None and (now - was) * is_narrower > 0)
            change = Change.NARROWED if narrowed else Change.WIDENED
            yield Difference(path, change, f"{name} is {_told(now)}, no longer {_told(was)}")


def _told(bound: object) -> str:
    return "not set" if bound is None else str(bound)


def _forms(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    for name in ("pattern", "format"):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if was is None:
            yield Difference(path, Change.NARROWED, f"has a {name} now")
        elif now is None:
            yield Difference(path, Change.WIDENED, f"has no {name} any more")
        else:
            yield Difference(path, of_patterns(was, now), f"has another {name}")


def _rules(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    """Rules that tie fields together: a changed one is an old one less and a new one more."""
    before, after = (
        {_without_words(rule): rule for rule in schema.get("allOf", ())} for schema in (old, new)
    )
    for text, rule in before.items():
        if text not in after:
            yield Difference(path, Change.WIDENED, f"no longer has the rule: {_said(rule)}")
    for text, rule in after.items():
        if text not in before:
            yield Difference(path, Change.NARROWED, f"has a new rule: {_said(rule)}")


def _without_words(rule: Schema) -> str:
    asked = {name: each for name, each in rule.items() if name != "$comment"}
    return json.dumps(asked, sort_keys=True)


def _said(rule: Schema) -> str:
    return str(rule.get("$comment", "one without a name"))


def _required(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(now - was):
        yield Difference(f"{path}.{name}".lstrip("."), Change.NARROWED, "is required now")
    for name in sorted((was - now) & new.get("properties", {}).keys()):
        yield Difference(f"{path}.{name}".lstrip("."), Change.WIDENED, "is no longer required")
