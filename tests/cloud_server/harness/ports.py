"""Free ports of the loopback interface, as the kernel gives them."""

import socket


def free_ports(count: int) -> list[int]:
    """Find `count` TCP ports on which nobody listens now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
