"""TUF's conformance suite against a device's client: how many of its tests pass.

    make bench NAME="tuf_conformance CHECKOUT"

CHECKOUT is a checkout of https://github.com/theupdateframework/tuf-conformance; its tests want `faketime` on the path.
n is the number of tests.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.record import ROOT, write

DEADLINE_SECONDS = 900.0


def main() -> int:
    """Run the suite, write the figures, and name what does not pass."""
    checkout = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        run_suite(checkout, report)
        cases = list(ElementTree.parse(report).iter("testcase"))
    passed = [case for case in cases if not list(case)]
    for case in cases:
        if case not in passed:
            print(f"did not pass: {case.get('name')}")
    write("tuf_conformance", len(cases), {"tests": len(cases), "passed": len(passed)}, _version(checkout))
    print(f"{len(passed)} of {len(cases)}")
    return 0 if cases and len(passed) == len(cases) else 1


def run_suite(checkout: Path, report: Path) -> None:
    """Run the suite's tests with our client, each command in a process of its own."""
    client = f"{sys.executable} -m benchmarks.tuf_conformance_client"
    command = [sys.executable, "-m", "pytest", "tuf_conformance", "--entrypoint", client, f"--junitxml={report}", "-q"]
    paths = os.pathsep.join((str(checkout), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-p", "no:cacheprovider"]
    subprocess.run([*command, *options], cwd=checkout, env=environment, check=False, timeout=DEADLINE_SECONDS)


def _version(checkout: Path) -> str:
    init = (checkout / "tuf_conformance" / "__init__.py").read_text()
    found = [line.partition("=")[2].strip().strip('"') for line in init.splitlines() if line.startswith("__version__")]
    return f"tuf-conformance {found[0]}" if found else ""


if __name__ == "__main__":
    sys.exit(main())
