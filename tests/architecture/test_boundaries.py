"""Who runs what: what a sensor loads, and what is shared."""

import ast
import subprocess
import sys

import pytest

from tests.architecture.sources import PROGRAMS, ROOT, sources

TOO_HEAVY_FOR_A_SENSOR = {
    "torch",
    "onnx",
    "onnxruntime",
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "matplotlib",
    "cv2",
}


@pytest.mark.parametrize("module", ["sensor_client.app", "shared.jpeg", "shared.bundle", "shared.trust", "shared.wire"])
def test_a_sensor_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not TOO_HEAVY_FOR_A_SENSOR & set(loaded.stdout.split())


@pytest.mark.parametrize("part", ["errors", "jpeg", "bundle", "trust", "wire"])
def test_what_is_shared_is_run_by_at_least_two_programs(part: str) -> None:
    users = {
        program
        for program in PROGRAMS
        for _, tree in sources(program)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"shared.{part}")
    }
    assert len(users) >= 2, f"shared.{part} is used by {sorted(users)} alone"
