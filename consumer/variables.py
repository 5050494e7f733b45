"""What an environment says about our settings: unknown names, secrets in files, sentences.

Pure: the environment comes in as a mapping, and no value of a secret goes out in a message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

PREFIX = "TICKETING_"
NOT_OURS = ("TICKETING_SERVICE_", "TICKETING_PORT_", "TICKETING_TEST_")
"""What Kubernetes injects for a Service named `ticketing`, and what only tests read."""

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One setting as the README shows it and as a refusal names it."""

    name: str
    default: str
    description: str
    form: str
    is_secret: bool


class SettingsRefused(Exception):
    """The settings can't be used; `problems` holds one sentence for each."""

    exit_code = 2

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def ours(environment: Mapping[str, str | None]) -> dict[str, str]:
    """Keep the variables meant for us, by upper-case name; an empty value counts as absent."""
    upper = {name.upper(): value for name, value in environment.items()}
    return {
        name: value
        for name, value in upper.items()
        if value and name.startswith(PREFIX) and name != "TICKETING_PORT"
        if not name.startswith(NOT_OURS)
    }


def unknown_names(given: Iterable[str], docs: Iterable[SettingDoc]) -> list[str]:
    """One sentence for each name that is no setting, with the nearest one that is."""
    known = [name for doc in docs for name in names_of(doc)]
    return [_unknown(name, known) for name in sorted(set(given) - set(known))]


def names_of(doc: SettingDoc) -> tuple[str, ...]:
    """Return the variables that give this setting."""
    return (doc.name, f"{doc.name}_FILE") if doc.is_secret else (doc.name,)


def secrets_in_files(
    given: Mapping[str, str], docs: Iterable[SettingDoc]
) -> tuple[dict[str, str], list[str]]:
    """Read every `..._FILE`; return {name: secret} and a sentence for each that can't be read.

    One line end after the secret is dropped, since editors and `echo` put it there.
    """
    secrets: dict[str, str] = {}
    problems: list[str] = []
    for doc in docs:
        path = given.get(f"{doc.name}_FILE")
        if path is None or not doc.is_secret:
            continue
        if doc.name in given:
            problems.append(f"{doc.name} and {doc.name}_FILE are both given; give one of them.")
            continue
        try:
            secrets[doc.name] = Path(path).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            problems.append(
                f"{doc.name}_FILE can't be read ({path}: {reason}); give a file's path."
            )
    return secrets, problems


def problems_of(error: ValidationError, docs: Mapping[str, SettingDoc]) -> list[str]:
    """One sentence for each value refused: its name, its problem, the accepted form."""
    problems: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=False):
        if not detail["loc"]:
            problems.setdefault(detail["msg"], detail["msg"])
            continue
        doc = docs[f"{PREFIX}{detail['loc'][0]}".upper()]
        text = detail["msg"] if detail["type"] == "setting" else _is(doc, detail["input"])
        problems.setdefault(doc.name, f"{doc.name} {text}; give {doc.form}.")
    return list(problems.values())


def table(docs: Iterable[SettingDoc]) -> str:
    """Render the README's table of settings."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    rows += [_row(doc) for doc in docs]
    return "\n".join(rows) + "\n"


def _row(doc: SettingDoc) -> str:
    name = f"`{doc.name}`" + (" (or `…_FILE`)" if doc.is_secret else "")
    default = f"`{doc.default}`" if doc.default else ""
    meaning = f"{doc.description} Accepted: {doc.form}."
    return f"| {name} | {default} | {meaning.replace('|', chr(92) + '|')} |"


def _is(doc: SettingDoc, value: object) -> str:
    if doc.is_secret:
        return "has a value that can't be used"
    shown = repr(value)
    return f"is {shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + '…'}"


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "remove it, or see the settings in README.md."
    return f"{name} is not a setting: {hint}"
