"""Templates and static files: what pages are made of. The one door to Jinja2.

Every value is escaped unless it is markup already, and a name that nobody gave is an error, not an empty place.
"""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cloud_server.console import charts, words
from cloud_server.console.sections import ROOT

_HERE = Path(__file__).parent
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file: its name with its hash, as pages ask for it, its content, and the same compressed."""

    name: str
    media_type: str
    content: bytes
    compressed: bytes


class Pages:
    """Renders pages.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.assets: Mapping[str, Asset] = {asset.name: asset for asset in map(_asset, sorted(_files()))}
        by_plain_name = {name.replace(f".{name.split('.')[-2]}.", "."): name for name in self.assets}
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            asset=lambda name: f"{ROOT}/static/{by_plain_name[name]}",
            root=ROOT,
            charts=charts,
            words=words,
        )

    def render(self, template: str, /, **facts: Any) -> str:
        """Make HTML of a template and facts."""
        return self._templates.get_template(template).render(facts)


def _files() -> list[Path]:
    return [path for path in (_HERE / "static").iterdir() if path.suffix in MEDIA_TYPES]


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}{path.suffix}"
    return Asset(name, MEDIA_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
