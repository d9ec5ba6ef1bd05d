"""The status as a person reads it: every word that is not plain has its meaning, and its next step, beside it."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sensor_client.ota import FAILED_TRIAL, OfferError, RefusedOffer
from sensor_client.remote_settings import SettingsFile, SettingsRecord
from sensor_client.report import status_table
from sensor_client.source_record import SourceRecorder
from sensor_client.sources import SourceHealth, Stillness
from sensor_client.spool import Counters, UnreadablePicture
from sensor_client.state_directory import StateDirectory
from sensor_client.status import Status, read_status
from sensor_client.status_words import COUNTED, counts, facts
from shared.bundle import BundleError, DeviceSettings, SelftestError, UnsupportedBundleError
from shared.trust import TrustError
from shared.wire import AssignmentOutcome, EventKind, Trial, TrustState
from tests.sensor_client.fakes import FakeClock


def shown(tmp_path: Path, **changes: object) -> str:
    """What a person is shown of a new device to which these things happened, in one line."""
    status: Status = read_status(StateDirectory(tmp_path)).model_copy(update=changes)
    written = io.StringIO()
    Console(file=written, width=2000).print(status_table(status))
    return " ".join(written.getvalue().split())


def test_what_somebody_else_called_a_thing_gives_the_terminal_no_commands(tmp_path: Path) -> None:
    hostile = "[red]a\x1b[31m\x9b\u202e"
    status = read_status(StateDirectory(tmp_path))
    pictures = (UnreadablePicture(hostile, hostile, 1, 0),)
    changed = status.model_copy(update={"unreadable_pictures": pictures, "faults": [hostile]})
    written = io.StringIO()
    Console(file=written, width=200).print(status_table(changed))
    assert not set("\x1b\x9b\u202e") & set(written.getvalue())
    assert written.getvalue().count("[red]a\\x1b[31m\\x9b\\u202e") == 3


def test_a_picture_that_was_met_once_is_not_met_one_times(tmp_path: Path) -> None:
    broken = UnreadablePicture("a.jpg", "cut short", 1, 0)
    said = shown(tmp_path, unreadable_pictures=(broken, replace(broken, name="b.jpg", times=2)))
    assert "a.jpg: cut short (met once)" in said
    assert "b.jpg: cut short (met 2 times)" in said


def test_a_new_device_is_told_how_it_is_enrolled_and_that_it_waits_for_tables(tmp_path: Path) -> None:
    said = shown(tmp_path)
    assert "not enrolled yet. Next: dctwire-sensor enrol" in said
    assert "no picture is taken before the first" in said and "dctwire assign FAMILY COUNTER" in said
    assert "None" not in said and "kept out" not in said


def test_a_device_that_is_kept_out_says_why_that_may_be_and_how_it_is_let_in_again(tmp_path: Path) -> None:
    said = shown(tmp_path, device_id="2cvxpk4z", refused_since="2026-11-29T07:15:00Z")
    assert "since 2026-11-29T07:15:00Z the server refuses this device's token" in said
    assert "an operator revoked or forgot it" in said and "dctwire devices restore 2cvxpk4z" in said
    assert "Only where it is to become a new device" in said


def test_what_became_of_probes_is_told_and_those_that_wait_where_there_are_any(tmp_path: Path) -> None:
    counters = vars(Counters(probes_encoded=7, probes_sent=4, probes_dropped=1))
    said = shown(tmp_path, counters=counters, waiting_probes=2)
    assert "0 frames (0 bytes), 0 labels, 2 probes" in said
    assert "probes encoded (second encodings) │ 7" in said
    assert "probes sent │ 4" in said and "probes dropped or refused │ 1" in said
    assert "labels, 0 probes" not in shown(tmp_path)


def test_a_trial_says_what_is_missing(tmp_path: Path) -> None:
    said = shown(tmp_path, trial=Trial(target="signs/2.json", proofs=1, boots=2))
    assert "signs/2.json has to prove itself: 1 of 3 frames were answered by its own classifier" in said
    assert "the program began 2 times with it" in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (EventKind.TRIAL, "is in use and has to prove itself"),
        (EventKind.CONFIRMED, "has proved itself and stays"),
        (EventKind.ROLLED_BACK, "the tables before it are in use again"),
        (EventKind.REJECTED, "was not taken"),
    ],
)
def test_what_became_of_an_update_is_a_sentence(tmp_path: Path, kind: EventKind, words: str) -> None:
    outcome = AssignmentOutcome(seq=7, event=kind, target="signs/2.json", code="failed-trial", reason="[it crashed]")
    said = shown(tmp_path, last_outcome=outcome)
    assert words in said and "Publish a corrected one" in said and "([it crashed])" in said
    assert kind.value not in said or kind is EventKind.TRIAL
    assert "failed-trial" not in said


@pytest.mark.parametrize(
    ("code", "next_step"),
    [
        (TrustError.code, "dctwire trust status"),
        (OfferError.code, "dctwire assign FAMILY COUNTER"),
        (UnsupportedBundleError.code, "Update dctwire on this device"),
        (BundleError.code, "Export and publish it again"),
        (SelftestError.code, "Use one version of dctwire"),
        (FAILED_TRIAL, "Publish a corrected one"),
    ],
)
def test_why_tables_were_turned_down_is_told_in_words_with_what_to_do_next(
    tmp_path: Path, code: str, next_step: str
) -> None:
    said = shown(tmp_path, last_refused=RefusedOffer(seq=7, target="signs/2.json", code=code, reason="because"))
    assert "signs/2.json" in said and next_step in said and "(because)" in said and code not in said


def test_expired_metadata_say_what_follows_from_it(tmp_path: Path) -> None:
    trust = TrustState(root_version=2, targets_version=5, signed_at="2026-11-29T07:15:00Z", is_stale=True)
    said = shown(tmp_path, trust=trust)
    assert "root 2, list 5, signed 2026-11-29T07:15:00Z" in said and "dctwire trust renew" in said
    assert "dctwire trust renew" not in shown(tmp_path, trust=trust.model_copy(update={"is_stale": False}))


def test_every_count_has_words(tmp_path: Path) -> None:
    counted = read_status(StateDirectory(tmp_path)).counters
    assert COUNTED.keys() == counted.keys()
    said = shown(tmp_path)
    assert all(words in said for words in COUNTED.values())


def test_what_is_set_from_afar_is_told_and_why_other_settings_are_not_in_effect(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    thrifty = DeviceSettings(family="signs", counter=3, tag="site=north", batch_frames=4, region=(0, 0, 0.5, 1))
    document = thrifty.to_bytes().decode()
    file = SettingsFile(state.settings_file)
    assert read_status(state).settings is None
    file.save(SettingsRecord(named=thrifty.target_path, document=document))
    said = shown(tmp_path)
    assert "number 3 for devices with tag site=north is in effect" in said
    assert "batch-frames 4, region 0.0 0.0 0.5 1.0" in said and "was not taken" not in said
    why = {"code": "invalid-settings", "reason": "they are another family's", "is_open": False}
    file.save(SettingsRecord(named="signs/settings-4.json", document=document, **why))
    said = shown(tmp_path)
    assert "number 3 for devices" in said and "not tried again: set others" in said
    assert "signs/settings-4.json was not taken (they are another family's)" in said
    file.save(SettingsRecord(named="signs/settings-4.json"))
    assert "none is in effect: this device does as it is configured. signs/settings-4.json is on its way" in shown(
        tmp_path
    )
    state.settings_file.write_bytes(b"{")
    assert read_status(state).settings is None


def test_how_the_source_does_is_told_beside_a_run_and_of_the_last_one(tmp_path: Path, clock: FakeClock) -> None:
    state, health = StateDirectory(tmp_path), SourceHealth(clock)
    assert read_status(state).source is None
    recorder = SourceRecorder(state.source_report_file, lambda: health.report, clock, threading.Event())
    health.lost("the camera is unplugged")
    recorder.step()
    said, since = shown(tmp_path), "2023-11-14T22:30:00Z"
    assert f"source │ lost since {since} (the camera is unplugged)" in said and "doctor --source" in said
    assert f"lost once, as told at {since}" in said
    clock.elapsed_seconds += 60
    health.came()
    health.is_still(Stillness.BLANK)
    recorder.close()
    said, later = shown(tmp_path), "2023-11-14T22:31:00Z"
    assert "no program runs here now. When the last one told of it: gives pictures since" in said
    assert f"its picture is blank since {later}; 1 pictures" in said


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_shows_every_value_whole(tmp_path: Path, width: int) -> None:
    counters = {name: 100_000_000 + number for number, name in enumerate(COUNTED)}
    status = read_status(StateDirectory(tmp_path)).model_copy(update={"counters": counters})
    written = io.StringIO()
    Console(file=written, width=width).print(status_table(status))
    values = "".join(line.split("│")[2] for line in written.getvalue().splitlines() if "│" in line)
    for _, said in (*facts(status), *counts(status)):
        assert "".join(said.split()) in "".join(values.split())
