"""Clocks, randomness and effects stay where programs are put together: rules are told, and imports do nothing."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGES, dotted, sources

# What time it is, only a program's composition root, its command line and its clock ask; all else is given the time, or
# a clock. As a default (`now: Callable[[], float] = time.time`) a clock may be named anywhere: that calls nothing.
MAY_READ_A_CLOCK = ("app", "cli", "command", "clock")
WALL_CLOCKS = {
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
STOPWATCHES = {
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.sleep",
}
CLOCKS = WALL_CLOCKS | STOPWATCHES
# How long something took, for people and metrics, and until when a caller waits, is measured where it happens.
MAY_MEASURE = {
    "cloud_server.api.device.inference_v2",
    "cloud_server.api.device.uploads",
    "cloud_server.inference.classify",
    "cloud_server.inference.ingest",
    "cloud_server.inference.lanes",
    "cloud_server.inference.storing",
    "cloud_server.inference.waiting",
    "cloud_server.storage.database",
}
UNPREDICTABLE = ("secrets.", "uuid.", "os.urandom", "random.SystemRandom", "random.random", "random.uniform")
# What nobody may guess or repeat is drawn where it is made.
MAY_DRAW = {
    "sensor_client.app",  # the jitter of waits, and the device's secret
    "cloud_server.api.http.request_id",
    "cloud_server.fleet.replicas",  # a replica's name
    "cloud_server.fleet.secrets",  # tokens and claim codes
    "cloud_server.operators.secrets",  # operators' tokens
}
# Calls that do something or depend on where and when a module is imported, beside the clocks.
ACTING = {
    "open",
    "print",
    "input",
    "Console",
    "Thread",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "Path.cwd",
    "Path.home",
    "os.getenv",
    "os.environ.get",
    "getaddrinfo",
    "gethostname",
}
ACTING_METHODS = {
    "mkdir",
    "write_text",
    "write_bytes",
    "read_text",
    "read_bytes",
    "unlink",
    "start",
    "connect",
    "create_engine",
    "basicConfig",
    "set_num_threads",
    "manual_seed",
    "default_rng",
    "run",
    "Popen",
}
# Alembic runs this file whenever it migrates: it is a script and nobody imports it.
SCRIPTS = {"cloud_server.storage.migrations.env"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call inside."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def origin(function: ast.expr, tree: ast.Module) -> str:
    """`time.time` of `time.time` and of `now` after `from time import time as now`; "" of what was not imported."""
    name = dotted(function)
    return next((known + name.removeprefix(alias) for alias, known in imports(tree) if is_of(name, alias)), "")


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Pairs of a name in this module and what it is called where it comes from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def is_of(name: str, alias: str) -> bool:
    """Whether a dotted name begins with this one."""
    return name == alias or name.startswith(f"{alias}.")


def calls_at_import(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that importing a module makes: in its body and its classes', in decorators and defaults."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children: list[ast.AST] = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
        return
    else:
        children = [*ast.iter_child_nodes(node)]
    if isinstance(node, ast.Call):
        yield node
    for child in children:
        yield from calls_at_import(child)


def acts(call: ast.Call, tree: ast.Module) -> bool:
    """Whether a call at import would do something."""
    name = dotted(call.func)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    known = origin(call.func, tree)
    return name in ACTING or known in CLOCKS or known.startswith(UNPREDICTABLE) or method in ACTING_METHODS


def readers(package: str, clocks: set[str]) -> set[str]:
    """The modules that read one of these clocks and neither put a program together nor are its command line."""
    return {
        module
        for module, tree in sources(package)
        if not set(module.split(".")) & set(MAY_READ_A_CLOCK)
        for call in calls(tree)
        if origin(call.func, tree) in clocks
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_what_time_it_is_is_asked_only_where_a_program_is_put_together(package: str) -> None:
    assert not readers(package, WALL_CLOCKS)


@pytest.mark.parametrize("package", PACKAGES)
def test_only_listed_modules_measure_how_long_something_takes(package: str) -> None:
    assert readers(package, STOPWATCHES) == {module for module in MAY_MEASURE if module.startswith(package)}


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_drawn_that_was_not_passed_in(package: str) -> None:
    found = {
        module
        for module, tree in sources(package)
        for call in calls(tree)
        if origin(call.func, tree).startswith(UNPREDICTABLE)
    }
    assert found == {module for module in MAY_DRAW if module.startswith(package)}


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_does_nothing(package: str) -> None:
    found = [
        f"{module}:{call.lineno}"
        for module, tree in sources(package)
        if module not in SCRIPTS
        for call in calls_at_import(tree)
        if acts(call, tree)
    ]
    assert not found
