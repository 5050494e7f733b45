"""The contract as one page to read: written from the AsyncAPI document, with nothing to load."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from consumer.contract_style import STYLE
from schemas.asyncapi import DEAD_LETTERS

Schema = Mapping[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_DIRECTIONS: Final = {"receive": ("in", "you send"), "send": ("out", "you receive")}


def page(document: Mapping[str, Any]) -> str:
    """The document as HTML."""
    written = _Page(document)
    info = document["info"]
    body = "".join(written.channels())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(info['title'])}: the contract</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<nav>\n<h1>{escape(info['title'])}</h1>\n"
        f"<p>Contract of version {escape(info['version'])}</p>\n{written.contents()}</nav>\n"
        f'<main>\n<section class="intro">\n{_paragraphs(info["description"])}</section>\n'
        f"{body}</main>\n</body>\n</html>\n"
    )


class _Page:
    """The parts of the page, with the document that references point into."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._channels = document["channels"]
        self._messages = document["components"]["messages"]
        self._schemas = document["components"]["schemas"]
        self._actions = {
            operation["channel"]["$ref"].removeprefix("#/channels/"): operation["action"]
            for operation in document["operations"].values()
        }

    def contents(self) -> str:
        """The channels as links, the dead letters last."""
        groups: dict[str, list[str]] = {"You send": [], "You receive": [], "Dead letters": []}
        for name in self._channels:
            is_sent = self._actions[name] == "receive"
            heading = "You send" if is_sent else "You receive"
            groups["Dead letters" if name.endswith(DEAD_LETTERS) else heading].append(name)
        parts = []
        for heading, names in groups.items():
            links = "".join(
                f'<li><a href="#{escape(name)}">{escape(name)}</a></li>\n' for name in names
            )
            parts.append(f"<h2>{heading}</h2>\n<ul>\n{links}</ul>\n")
        return "".join(parts)

    def channels(self) -> Iterator[str]:
        for name, channel in self._channels.items():
            mark, says = _DIRECTIONS[self._actions[name]]
            yield (
                f'<section id="{escape(name)}">\n<h2><code>{escape(name)}</code> '
                f'<span class="{mark}">{says}</span></h2>\n<p>{_text(channel["description"])}</p>\n'
            )
            messages = [self._messages[each] for each in channel["messages"]]
            for message in messages:
                # Those of a family have their fields in common: one list is open, the others fold.
                is_open = message is messages[0]
                yield from self._message(message, name, is_open=is_open)
            yield "</section>\n"

    def _message(self, message: Schema, channel: str, *, is_open: bool) -> Iterator[str]:
        name = message["name"]
        if name != channel:
            yield f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3>\n'
        key = message["bindings"]["kafka"]["key"]
        yield f"<p><b>Key:</b> {_text(key['description'])}"
        if "x-dataschema" in message:
            yield (
                f'<br>\n<b>Schema:</b> <a href="schemas/{escape(name)}.json">'
                f"<code>{escape(message['x-dataschema'])}</code></a>"
            )
        yield "</p>\n"
        payload = self._resolved(message["payload"])
        if "properties" in payload or "oneOf" in payload:
            rows = "".join(self._rows(payload))
            yield _fold("Fields", _table(("field", "what it holds", ""), rows), is_open=is_open)
        yield _fold("Headers", _table(("header", "value", ""), "".join(_headers(message))))
        for example in message["examples"]:
            yield _fold(_title_of(example), _example(example))

    def _resolved(self, schema: Schema) -> Schema:
        """The schema behind a reference, with what is said beside it."""
        match schema:
            case {"$ref": str(reference)}:
                return self._resolved(self._schemas[reference.removeprefix(_SCHEMAS)])
            case {"allOf": [{"$ref": str(reference)}], **beside}:
                meant = self._resolved(self._schemas[reference.removeprefix(_SCHEMAS)])
                return {**meant, **beside} | ({"allOf": meant["allOf"]} if "allOf" in meant else {})
            case _:
                return schema

    def _rows(self, schema: Schema, prefix: str = "") -> Iterator[str]:
        """The fields of an object, and of the objects within it."""
        for kind in schema.get("oneOf", ()):
            one = self._resolved(kind)
            word = one["properties"]["change"]["const"]
            yield f'<tr class="kind"><td colspan="3"><code>change: {escape(word)}</code> '
            yield f"{_text(one.get('description', ''))}</td></tr>\n"
            yield from self._rows(one)
        required = set(schema.get("required", ()))
        for name, field in schema.get("properties", {}).items():
            yield self._row(prefix + name, field, is_required=name in required)
            for inner, mark in self._inner(field):
                yield from self._rows(inner, f"{prefix}{name}{mark}.")
        for rule in schema.get("allOf", ()):
            if "$comment" in rule:
                where = f"<code>{escape(prefix.rstrip('.'))}</code>: " if prefix else ""
                said = where + _text(rule["$comment"])
                yield f'<tr class="rule"><td colspan="3">{said}</td></tr>\n'

    def _row(self, name: str, field: Schema, *, is_required: bool) -> str:
        said, may_be_null = self._said(field)
        marks = ["required" if is_required else "optional"]
        if "default" in field:
            marks = [f"default {json.dumps(field['default'])}"]
        elif may_be_null:
            marks.append("or null")
        return _cells(name, said, ", ".join(marks))

    def _said(self, field: Schema) -> tuple[str, bool]:
        """What a field holds in words, and whether it may be null."""
        forms = [self._resolved(each) for each in field.get("anyOf", (field,))]
        may_be_null = any(each.get("type") == "null" for each in forms)
        words = [field.get("description")]
        words += [_words(self._resolved(each)) for each in (*field.get("anyOf", ()), field)]
        return next((each for each in words if each), ""), may_be_null

    def _inner(self, field: Schema) -> Iterator[tuple[Schema, str]]:
        """The objects that a field holds: one, a list, or one for each name."""
        for form in (field, *field.get("anyOf", ())):
            one = self._resolved(form)
            for each, mark in (
                (one, ""),
                (one.get("items"), "[]"),
                (one.get("additionalProperties"), ".*"),
            ):
                if isinstance(each, Mapping):
                    found = self._resolved(each)
                    if "properties" in found:
                        yield found, mark
                        return


def _words(schema: Schema) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    return str(schema.get("description", ""))


def _headers(message: Schema) -> Iterator[str]:
    headers = message["headers"]
    for name, field in headers["properties"].items():
        said = field.get("description") or field.get("const") or field.get("type", "")
        value = f"{said} ({field['const']})" if {"description", "const"} <= field.keys() else said
        yield _cells(name, value, "always" if name in headers.get("required", ()) else "")


def _title_of(example: Schema) -> str:
    payload = example["payload"]
    change = payload.get("change") if isinstance(payload, dict) else None
    return f"Example: {change}" if isinstance(change, str) else "Example"


def _example(example: Schema) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in example["headers"].items())
    value = json.dumps(example["payload"], indent=2, ensure_ascii=False)
    return f"<pre>{escape(headers + value)}</pre>\n"


def _fold(title: str, content: str, *, is_open: bool = False) -> str:
    mark = " open" if is_open else ""
    return f"<details{mark}>\n<summary>{escape(title)}</summary>\n{content}</details>\n"


def _table(headings: Sequence[str], rows: str) -> str:
    cells = "".join(f"<th>{heading}</th>" for heading in headings)
    return f"<table>\n<tr>{cells}</tr>\n{rows}</table>\n"


def _cells(name: str, said: str, marks: str) -> str:
    return (
        f"<tr><td><code>{escape(name)}</code></td><td>{_text(said)}</td>"
        f'<td class="marks">{escape(marks)}</td></tr>\n'
    )


def _paragraphs(text: str) -> str:
    """Paragraphs and lists of the little Markdown that the document has."""
    parts = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        told = [line for line in lines if not line.startswith("- ")]
        items = "".join(f"<li>{_text(line[2:])}</li>\n" for line in lines if line.startswith("- "))
        parts += [f"<p>{_text(' '.join(told))}</p>\n"] if told else []
        parts += [f"<ul>\n{items}</ul>\n"] if items else []
    return "".join(parts)


def _text(text: str) -> str:
    """Words with `code` in them."""
    pieces = escape(text).split("`")
    return "".join(
        f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces)
    )
