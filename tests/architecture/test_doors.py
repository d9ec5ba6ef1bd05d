"""Each outside library has one door a program: a module or a package through which alone the program uses it."""

import pytest

from tests.architecture.sources import imported_modules, sources

# A package stands for every module inside it. What is in every module by its nature (numpy, pydantic, structlog in the
# server, torch in the trainer) is not here.
DOORS = {
    ("shared", "shared.jpeg._codec"): {"shared.jpeg.native"},
    ("shared", "tuf"): {"shared.trust"},
    ("shared", "securesystemslib"): {"shared.trust"},
    ("shared", "cryptography"): {"shared.trust.keys"},
    ("shared", "PIL"): {"shared.pictures"},
    ("sensor_client", "httpcore"): {
        "sensor_client.deadline_network",
        "sensor_client.http_line",
        "sensor_client.sources.http_camera",
        "sensor_client.tls_stream",
        "sensor_client.compact_heads",
        "sensor_client.http2_connection",
        "sensor_client.shared_connection",
    },
    ("sensor_client", "h2"): {"sensor_client.http2_connection"},
    ("sensor_client", "sqlite3"): {"sensor_client.spool"},
    ("sensor_client", "rich"): {"sensor_client.progress", "sensor_client.report"},
    ("sensor_client", "typer"): {
        "sensor_client.app",
        "sensor_client.chosen",
        "sensor_client.dead_letters",
        "sensor_client.options",
    },
    ("cloud_server", "httpcore"): {"cloud_server.events.posting"},
    ("cloud_server", "httpx"): {"cloud_server.cli.operator_client", "cloud_server.events.posting"},
    ("cloud_server", "onnxruntime"): {"cloud_server.inference.classifier"},
    ("cloud_server", "numpy"): {"cloud_server.inference", "cloud_server.quality", "cloud_server.rollout"},
    ("cloud_server", "cryptography"): {"cloud_server.certificates"},
    ("cloud_server", "alembic"): {"cloud_server.storage.migrating", "cloud_server.storage.migrations"},
    ("cloud_server", "obstore"): {"cloud_server.storage.bucket_blobs"},
    ("cloud_server", "prometheus_client"): {
        "cloud_server.metrics",
        "cloud_server.classifier_metrics",
        "cloud_server.connection_metrics",
        "cloud_server.drift_metrics",
        "cloud_server.event_metrics",
        "cloud_server.fleet_metrics",
        "cloud_server.rollout_metrics",
        "cloud_server.trainer_metrics",
        "cloud_server.quality_metrics",
        "cloud_server.upkeep_metrics",
        "cloud_server.metric_registry",
        "cloud_server.command",
    },
    ("cloud_server", "pydantic_settings"): {"cloud_server.settings"},
    ("cloud_server", "fastapi"): {"cloud_server.api"},
    ("cloud_server", "starlette"): {
        "cloud_server.api",
        "cloud_server.console",
        "cloud_server.listeners",
        "cloud_server.planes",
    },
    ("cloud_server", "jinja2"): {"cloud_server.console.rendering"},
    ("cloud_server", "markupsafe"): {"cloud_server.console"},
    ("cloud_server", "argon2"): {"cloud_server.operators.passwords"},
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
