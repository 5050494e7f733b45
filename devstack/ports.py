"""Free ports that stay ours while their server is stopped."""

import random
import socket

# Below every system's ephemeral range: a client that keeps trying a stopped server's port could
# otherwise be given that very port for its own end, connect to itself and keep the server out.
_LOWEST, _HIGHEST = 15_000, 32_000


def free_port(*, other_than: int | None = None) -> int:
    """A random port on 127.0.0.1 that nobody listens on now."""
    while True:
        port = random.SystemRandom().randrange(_LOWEST, _HIGHEST)
        if port == other_than:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
