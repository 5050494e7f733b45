"""The contract's files as they are committed under docs/contract/: all of them written by code."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from consumer.contract_examples import examples
from consumer.contract_page import page
from schemas.asyncapi import asyncapi
from schemas.json_schema import all_schemas


def document(version: str) -> dict[str, Any]:
    """The AsyncAPI document. version: this program's."""
    return asyncapi(version, examples())


def files(version: str) -> dict[str, str]:
    """Every generated file by its path within docs/contract/."""
    made = document(version)
    return {
        "asyncapi.yaml": as_yaml(made),
        "index.html": page(made),
        **{f"schemas/{name}": text for name, text in schema_files().items()},
    }


def schema_files() -> dict[str, str]:
    """The JSON Schemas by the names of their files."""
    return {f"{name}.json": as_json(schema) for name, schema in all_schemas().items()}


def as_json(value: object) -> str:
    """JSON for people and for diffs; no character in it is invisible."""
    return json.dumps(value, indent=2) + "\n"


def as_yaml(value: Mapping[str, Any]) -> str:
    """The same as YAML, each thing spelled out where it stands."""
    tree = json.loads(
        json.dumps(value)
    )  # as a tree: what is there twice would be written as &id001
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=False, width=100)
