"""axe-core, which finds what keeps people with other senses than sight out of a page (WCAG 2.2 A and AA).

It comes from npm at a pinned version, is kept in `.cache/` and never in the repository.
"""

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from tests.cloud_server.harness.browser import Browser
from tests.system_packages import need, required

VERSION = "4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CACHE = Path(os.environ.get("DCTWIRE_CACHE") or Path(__file__).parents[3] / ".cache")
FETCH_SECONDS = 120
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then(
  (found) => done(found.violations.map((each) => each.id + ': ' + each.help + ' ' + each.nodes.map(
    (node) => node.target.join(' ') + ' (' + (node.any.concat(node.all, node.none)[0] || {message: ''}).message + ')'
  ).join('; '))),
  (error) => done([String(error)]),
);
"""


def axe_script() -> str:
    """What is run in a page; without a copy, and npm with a line to it, the test is skipped, and fails in CI."""
    script = CACHE / f"axe-core-{VERSION}.min.js"
    if not script.exists():
        _fetch(script)
    return script.read_text(encoding="utf-8")


def faults(browser: Browser, script: str) -> list[str]:
    """What axe finds on the page as it is now, each with the elements that are meant.

    It comes in through the debugger, as no page's own policy lets anything in.
    """
    browser.driver.execute_script(script)
    found: Any = browser.driver.execute_async_script(_RUN, RULES)
    return [str(each) for each in found]


def _fetch(script: Path) -> None:
    required("npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", f"axe-core@{VERSION}", "--pack-destination", str(CACHE), "--silent"]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if fetched.returncode:
        need([f"axe-core {VERSION}"], f"npm says: {fetched.stderr[-200:]}")
    archive = CACHE / fetched.stdout.strip().splitlines()[-1]
    with tarfile.open(archive) as opened:
        member = opened.extractfile("package/axe.min.js")
        assert member is not None
        content = member.read()
    archive.unlink()
    partial = script.with_suffix(f".{hashlib.sha256(content).hexdigest()[:8]}-{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(script)
