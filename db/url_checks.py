"""What is wrong with a libpq URL, in words that never quote it: any part may be of the password.

A character of the password that should have been escaped moves the borders of all other parts, and
whoever meets the pieces later (a parser of numbers, a resolver) prints them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult

HOST: Final = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]*)(:(?P<port>[0-9]{0,5}))?")
MAX_PORT: Final = 65_535

UNREADABLE: Final = (
    "its host or port can't be read: a port is a number from 1 to 65535, and / ? # [ ] @ in a name"
    " or a password must be written %2F %3F %23 %5B %5D %40"
)

WORDS: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
}
"""Parameters that take one of a few words (libpq 34.1.2)."""


def problem_of(parts: SplitResult, options: Mapping[str, str]) -> str | None:
    """Return the first problem; None where asyncpg can read hosts, ports and words."""
    ats = parts.geturl().count("@")
    if ats > parts.netloc.count("@") or ats > 1 or not all(_ports_are_right(parts, options)):
        return UNREADABLE
    if any("=" not in option for option in parts.query.split("&") if option):
        return f"a parameter after its ? has no value; {UNREADABLE}"
    for name, words in WORDS.items():
        if options.get(name, words[0]) not in words:
            return f"{name} must be {', '.join(words[:-1])} or {words[-1]}"
    return None


def _ports_are_right(parts: SplitResult, options: Mapping[str, str]) -> Iterator[bool]:
    """Judge each host of the address and of the parameters; a socket's directory has no port."""
    named = (parts.netloc.rpartition("@")[2], options.get("host", ""), options.get("hostaddr", ""))
    for hosts in filter(None, named):
        for host in hosts.split(","):
            found = HOST.fullmatch(host)
            is_directory = host.startswith("/")
            yield is_directory or (bool(host) and found is not None and _is_port(found["port"]))
    yield from (_is_port(port) for port in options.get("port", "").split(","))


def _is_port(text: str | None) -> bool:
    """Nothing at all is libpq's default."""
    return not text or (text.isdecimal() and text.isascii() and 1 <= int(text[:6]) <= MAX_PORT)
