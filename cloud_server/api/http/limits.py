"""What one connection may do: how long each step of it may take, and how much it may send before it is answered."""

from dataclasses import dataclass

from cloud_server.api.http.body_memory import BodyMemory
from cloud_server.api.http.connection_places import ConnectionPlaces
from cloud_server.api.http.hosts import HostNames

HEAD_MAX_BYTES = 32 << 10
"""The longest head of a request; trailers, and the framing of a chunked body between two pieces of it, as well."""
PIPELINED_MAX = 16
"""Requests of one connection that may wait for their answers; nobody who waits for answers needs more."""
LINGER_SECONDS = 1.0
"""How long a connection is read on after its last answer, so that no reset overtakes that answer."""
FIRST_REQUEST_SECONDS = 1.0
"""How long a connection on which nothing was asked yet may stay while the server stops."""
REST_MAX_SECONDS = 10.0
"""How long the rest of a body may take that was answered before it was read."""
GIVE_WAY_SECONDS = 1.0
"""How long a connection without a request that makes room for another one may take to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How long a head may take to arrive and answers to leave; connections, the memory of bodies, and names."""

    head_max_seconds: float
    write_max_seconds: float
    places: ConnectionPlaces
    bodies: BodyMemory
    hosts: HostNames
