"""The command line by which TUF's conformance suite tests a client (its CLIENT-CLI.md), before a device's own client.

A device's client follows one family's repository; the suite's repositories know no families, and their dates lie before
this program was made, so that the suite gives both away.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import urllib3

from shared.errors import ChannelError, DctwireError
from shared.trust import NotPublishedError, TrustClient


def main() -> int:
    """Carry out one command; 1 where the client refuses."""
    given = _arguments().parse_args()
    shipped: Path = given.metadata_dir.parent / "shipped-root.json"
    if given.command == "init":
        for path in (shipped, given.metadata_dir / "root.json"):
            path.write_bytes(given.trusted_root.read_bytes())
        return 0
    fetch = Fetch({"metadata": given.metadata_url, "targets": given.target_base_url})
    client = TrustClient(
        given.metadata_dir, shipped.read_bytes(), fetch, None, built_at=datetime(1970, 1, 1, tzinfo=UTC)
    )
    try:
        if given.command == "refresh":
            client.refresh()
        for name in given.target_name:
            download(client, name, given.target_dir)
    except DctwireError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def download(client: TrustClient, name: str, folder: Path) -> None:
    """Fetch a target into `folder`, unless it lies there."""
    path = folder / quote(name, "")
    known = [path.read_bytes()] if path.exists() else []
    data = client.download(name, known).data
    if [data] != known:
        path.write_bytes(data)


class Fetch:
    """Fetches from the suite's server."""

    def __init__(self, bases: dict[str, str | None]) -> None:
        self._bases = bases
        self._pool = urllib3.PoolManager(retries=False)

    def __call__(self, path: str, limit_bytes: int, seconds: float) -> Iterator[bytes]:
        """What lies at `metadata/...` or `targets/...`."""
        kind, _, name = path.partition("/")
        base = self._bases[kind]
        assert base is not None
        try:
            reply = self._pool.request("GET", f"{base.rstrip('/')}/{name}", timeout=seconds, preload_content=False)
            if reply.status in (403, 404):
                raise NotPublishedError(path)
            if reply.status != 200:
                raise ChannelError(f"{reply.status} to {path}")
            yield reply.read(limit_bytes + 1)
        except urllib3.exceptions.HTTPError as error:
            raise ChannelError(f"{path}: {error}") from error


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metadata-url")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-dir", type=Path)
    parser.add_argument("--target-base-url")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser


if __name__ == "__main__":
    sys.exit(main())
