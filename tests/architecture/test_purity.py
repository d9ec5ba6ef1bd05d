"""Clocks, randomness and effects stay where programs are put together: rules are told, and imports do nothing."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGES, dotted, sources

CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.process_time",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
}
# A program's composition root and its command line read the clock; everything else is given one, or the time. As a
# default (`clock: Callable[[], float] = time.monotonic`) a clock may be named anywhere: that calls nothing.
MAY_READ_A_CLOCK = ("app", "cli", "command", "clock")
UNPREDICTABLE = ("secrets.", "uuid.", "os.urandom", "random.SystemRandom", "random.random", "random.uniform")
# What nobody may guess or repeat is drawn where it is made.
MAY_DRAW = {
    "sensor_client.app",  # the jitter of waits
    "cloud_server.api.http.request_id",
    "cloud_server.fleet.replicas",  # a replica's name
    "cloud_server.fleet.secrets",  # tokens and claim codes
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


def acts(call: ast.Call) -> bool:
    """Whether a call at import would do something."""
    name = dotted(call.func)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return name in ACTING or name in CLOCKS or name.startswith(UNPREDICTABLE) or method in ACTING_METHODS


@pytest.mark.parametrize("package", PACKAGES)
def test_only_where_a_program_is_put_together_the_clock_is_read(package: str) -> None:
    found = {
        module
        for module, tree in sources(package)
        if not set(module.split(".")) & set(MAY_READ_A_CLOCK)
        for call in calls(tree)
        if dotted(call.func) in CLOCKS
    }
    assert not found


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_drawn_that_was_not_passed_in(package: str) -> None:
    found = {
        module
        for module, tree in sources(package)
        for call in calls(tree)
        if dotted(call.func).startswith(UNPREDICTABLE) and dotted(call.func).split(".")[0] in imported_names(tree)
    }
    assert found == {module for module in MAY_DRAW if module.startswith(package)}


def imported_names(tree: ast.AST) -> set[str]:
    """The names of modules that `import` brings; a parameter may be called `random`, too."""
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_does_nothing(package: str) -> None:
    found = [
        f"{module}:{call.lineno}"
        for module, tree in sources(package)
        if module not in SCRIPTS
        for call in calls_at_import(tree)
        if acts(call)
    ]
    assert not found
