"""Each outside library has one door a program: a module or a package through which alone the program uses it."""

import pytest

from tests.architecture.sources import imported_modules, sources

# A package stands for every module inside it. What is in every module by its nature (numpy, pydantic, structlog, and
# torch in the trainer) is not here.
DOORS = {
    ("shared", "shared.jpeg._codec"): {"shared.jpeg.native"},
    ("shared", "tuf"): {"shared.trust.client", "shared.trust.repository"},
    ("shared", "securesystemslib"): {"shared.trust.keys", "shared.trust.repository"},
    ("shared", "cryptography"): {"shared.trust.keys"},
    ("shared", "PIL"): {"shared.pictures"},
    ("sensor_client", "httpx"): {"sensor_client.http_line"},
    ("sensor_client", "sqlite3"): {"sensor_client.spool.database"},
    ("sensor_client", "rich"): {"sensor_client.app", "sensor_client.report"},
    ("sensor_client", "typer"): {"sensor_client.app", "sensor_client.options"},
    ("cloud_server", "httpx"): {"cloud_server.cli.operator_client"},
    ("cloud_server", "onnxruntime"): {"cloud_server.inference.classifier"},
    ("cloud_server", "numpy"): {"cloud_server.inference", "cloud_server.answered"},
    ("cloud_server", "alembic"): {"cloud_server.storage.migrating", "cloud_server.storage.migrations"},
    ("cloud_server", "obstore"): {"cloud_server.storage.bucket_blobs"},
    ("cloud_server", "prometheus_client"): {"cloud_server.metrics", "cloud_server.command"},
    ("cloud_server", "pydantic_settings"): {"cloud_server.settings"},
    ("cloud_server", "fastapi"): {"cloud_server.api"},
    ("cloud_server", "starlette"): {"cloud_server.api", "cloud_server.listeners"},
    ("cloud_server", "uvicorn"): {"cloud_server.api.http.protocol", "cloud_server.listeners"},
    ("cloud_server", "uvloop"): {"cloud_server.command"},
    ("cloud_server", "rich"): {"cloud_server.cli"},
    ("cloud_server", "typer"): {"cloud_server.cli", "cloud_server.command"},
    ("cloud_server", "sqlalchemy"): {"cloud_server.storage"},
    ("trainer", "onnx"): {"trainer.export.onnx_writer"},
    # The runtime, and the quantiser it comes with.
    ("trainer", "onnxruntime"): {"trainer.export.classifier", "trainer.export.int8"},
    ("trainer", "httpx"): {"trainer.data.download"},
    ("trainer", "matplotlib"): {"trainer.plot"},
    ("trainer", "scipy"): {"trainer.comparison.rate_curve"},
    ("trainer", "skimage"): {"trainer.evaluation.fidelity"},
    ("trainer", "PIL"): {"trainer.data", "trainer.evaluation.fidelity"},
    ("trainer", "typer"): {"trainer.cli", "trainer.app"},
}


def importers(package: str, library: str) -> set[str]:
    """Modules of `package` that import `library` or something inside it."""
    return {
        module for module, tree in sources(package) if any(is_within(name, library) for name in imported_modules(tree))
    }


def is_within(module: str, package: str) -> bool:
    """Whether a module is this one or lies in it."""
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize(("package", "library"), DOORS)
def test_a_library_is_used_through_its_door_alone(package: str, library: str) -> None:
    doors, users = DOORS[package, library], importers(package, library)
    assert not [user for user in users if not any(is_within(user, door) for door in doors)]


@pytest.mark.parametrize(("package", "library"), DOORS)
def test_every_door_is_in_use(package: str, library: str) -> None:
    doors, users = DOORS[package, library], importers(package, library)
    assert not [door for door in doors if not any(is_within(user, door) for user in users)]
