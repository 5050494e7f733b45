"""Topic names that are nobody else's, and their removal."""

import secrets

from confluent_kafka.admin import AdminClient

_ADMIN_SECONDS = 30


def random_prefix() -> str:
    """For TICKETING_TOPIC_PREFIX: `t3f9a1c07.`."""
    return f"t{secrets.token_hex(4)}."


def delete_topics(bootstrap_servers: str, *, prefix: str) -> None:
    """Delete every topic that starts with a prefix of `random_prefix`; no such topic is fine."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    known = admin.list_topics(timeout=_ADMIN_SECONDS).topics
    if ours := [name for name in known if name.startswith(prefix)]:
        for deleted in admin.delete_topics(ours, request_timeout=_ADMIN_SECONDS).values():
            deleted.result()
