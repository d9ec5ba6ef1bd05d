"""What the console is divided into: a section has a place in the navigation, and routes of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import Route

from cloud_server.operators.roles import Role

ROOT = "/console"


@dataclass(frozen=True, slots=True)
class Section:
    """A section: what the navigation calls it, its first page, who sees it there, and its routes.

    Args:
        title: empty of one that is not in the navigation.
        path: of its first page, below `ROOT`.
        key: the letter that goes there after `g`.
    """

    title: str
    path: str
    role: Role
    routes: Sequence[Route]
    key: str = ""

    @property
    def address(self) -> str:
        """The whole path of its first page."""
        return ROOT + self.path

    def holds(self, path: str) -> bool:
        """Whether a page, by its whole path, is one of this section."""
        if self.path == "/":
            return path in (ROOT, self.address)
        return path == self.address or path.startswith(f"{self.address}/")
