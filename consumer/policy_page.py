"""A stored policy as YAML again: what `policy show` prints, `policy apply` takes."""

from typing import Any, Final

import yaml
from yaml.representer import BaseRepresenter

from consumer.policy_file import plain_value

WIDTH: Final = 100


def _text(dumper: BaseRepresenter, text: str) -> yaml.ScalarNode:
    """Quoted where it would else be read as a number, or hold line ends that YAML folds."""
    style = None if plain_value(text) is text and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class _Dumper(yaml.SafeDumper):
    yaml_representers = {**yaml.SafeDumper.yaml_representers, str: _text}  # noqa: RUF012  PyYAML's way

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002  PyYAML's protocol
        return True


def as_yaml(document: dict[str, Any]) -> str:
    """The document, its fields in their order."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    return text
