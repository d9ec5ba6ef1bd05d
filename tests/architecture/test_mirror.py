"""Tests lie where what they test lies: tests/<package>/**/test_x.py is about <package>/**/x.py, or the package x."""

import pytest

from tests.architecture.sources import PACKAGES, ROOT

# The exceptions: stories that no one module could tell, by what they are about.
STORIES = {
    "shared.jpeg: the native core, whose modules are Rust's, and what all of it promises": {
        "shared/jpeg/test_decoder_batch.py",
        "shared/jpeg/test_decoder_bound.py",
        "shared/jpeg/test_decoder_large.py",
        "shared/jpeg/test_decoder_pairs.py",
        "shared/jpeg/test_decoder_progressive.py",
        "shared/jpeg/test_decoder_resample.py",
        "shared/jpeg/test_docs.py",
        "shared/jpeg/test_encoder_samplings.py",
        "shared/jpeg/test_encoder_scan_bits.py",
        "shared/jpeg/test_errors_of_callers.py",
        "shared/jpeg/test_limits.py",
        "shared/jpeg/test_native_fences.py",
        "shared/jpeg/test_native_lock.py",
        "shared/jpeg/test_native_stub.py",
        "shared/jpeg/test_transcoder_resize.py",
        "shared/jpeg/test_vectors.py",
    },
    "both sides of a package at once": {
        "shared/trust/test_trust.py",
        "sensor_client/ota/test_power_cuts.py",
        "sensor_client/ota/test_update_machine.py",
        "sensor_client/spool/test_month_offline.py",
        "sensor_client/spool/test_spool_machine.py",
        "trainer/zoo/test_zoo.py",
    },
    "a whole process, which is killed, stopped or left without its neighbours": {
        "sensor_client/test_run.py",
        "cloud_server/test_drain.py",
        "cloud_server/test_outage.py",
        "cloud_server/test_process.py",
        "cloud_server/test_replica_keys.py",
        "cloud_server/test_restored_database.py",
        "cloud_server/test_replicas.py",
        "cloud_server/test_secrets.py",
        "cloud_server/feedback/test_field.py",
        "cloud_server/feedback/test_keeping.py",
        "trainer/test_resume.py",
    },
    "an invariant, whatever happens": {"cloud_server/inference/test_one_content.py"},
    "one method, from a base to its branches": {"trainer/training/test_branches.py"},
    "a running server, seen from outside": {
        "cloud_server/api/device/test_companions.py",
        "cloud_server/api/http/test_bad_input.py",
        "cloud_server/api/http/test_bytes.py",
        "cloud_server/api/http/test_floods.py",
        "cloud_server/api/http/test_one_request_one_answer.py",
        "cloud_server/fleet/test_holds.py",
        "cloud_server/fleet/test_revoking.py",
        "cloud_server/inference/test_overload.py",
        "cloud_server/registry/test_models_in_service.py",
    },
    "commands as a person types them": {
        "cloud_server/cli/test_cli.py",
        "cloud_server/feedback/test_export.py",
        "trainer/cli/test_own_pictures.py",
    },
}


def mirrors_a_module(test: str) -> bool:
    """Whether the module or package that a test module is named after is there."""
    folder, _, name = test.rpartition("/")
    subject = ROOT / folder / name.removeprefix("test_").removesuffix(".py")
    return subject.with_suffix(".py").exists() or (subject / "__init__.py").exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_test_module_is_named_after_what_it_tests_or_tells_a_listed_story(package: str) -> None:
    tests = [str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests" / package).rglob("test_*.py")]
    stories = {test for some in STORIES.values() for test in some if test.startswith(f"{package}/")}
    assert {test for test in tests if not mirrors_a_module(test)} == stories
