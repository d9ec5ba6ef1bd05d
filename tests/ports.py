"""Free ports below those that the kernel gives to outgoing connections, of which tests open thousands."""

import contextlib
import random
import socket

PORTS = range(16_384, 32_768)
"""Linux takes the ports of outgoing connections from 32,768 on where nobody configured it otherwise."""


def free_ports(count: int) -> list[int]:
    """Find `count` TCP ports on which nobody listens now, on any interface."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            found.append(port)
        if len(found) == count:
            break
    return found
