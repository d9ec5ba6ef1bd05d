"""What answers, labels and probes say of a rollout's two bundles: over HTTP in, by device out."""

from typing import Any

import pytest
from sqlalchemy import Connection

from cloud_server.storage.rows import assignments, rollout_evidence, rollouts
from cloud_server.storage.rows.rollout_evidence import LabelRow, PairRow
from cloud_server.storage.rows.rollouts import RolloutRow
from tests.cloud_server.harness.devices import Device
from tests.cloud_server.harness.feedback import other_than, put_label
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.rollouts import NOW, answered, begun, enrolled, labelled
from tests.cloud_server.harness.server import ServerHarness
from tests.cloud_server.rollout.simulated import FAMILY, Operator

OLD, NEW = tables(50), tables(25)
WAITING: list[dict[str, Any]] = [{"percent": 100, "min_devices": 1000}]


def posted(device: Device, data: bytes, of: int | None = None) -> tuple[int, str]:
    """Post a frame, or the probe of one; its number, and what it was answered."""
    sequence = device.next_sequence
    headers = {} if of is None else {"dw-kind": "probe", "dw-companion-of": str(of)}
    answer = device.post(data, headers=headers)
    assert answer.status_code == 200, answer.text
    return sequence, answer.json()["label"]


def evidence(server: ServerHarness, rollout: str) -> tuple[list[LabelRow], list[PairRow]]:
    """What the database says."""
    with server.database() as database:
        row = rollouts.find(database, rollout)
        assert row is not None
        return [LabelRow(*label) for label in rollout_evidence.labels(database, row)], list(
            rollout_evidence.pairs(database, row)
        )


def test_labels_count_for_the_bundle_that_answered_and_probes_pair_what_both_said(server: ServerHarness) -> None:
    device, other = server.enrol(FAMILY), server.enrol(FAMILY)
    early, said = posted(device, frame(OLD, 99))
    put_label(device, f"{device.device_id}.{early}", said)  # before the rollout
    rollout = Operator(server.client("operator")).start(2, WAITING)["id"]
    right = wrong = differing = only_old = only_new = 0
    for seed in range(12):
        number, by_new = posted(device, frame(NEW, seed))
        _, by_old = posted(device, frame(OLD, seed), of=number)
        differing += by_new != by_old
        truth = by_old if seed % 2 else by_new
        put_label(device, f"{device.device_id}.{number}", truth)
        right += truth == by_new
        wrong += truth != by_new
        only_old += truth == by_old != by_new
        only_new += truth == by_new != by_old
    number, by_old = posted(other, frame(OLD, 1))
    put_label(other, f"{other.device_id}.{number}", other_than(by_old))
    posted(other, frame(OLD, 2), of=number)  # the same bundle twice is no pair
    other.next_sequence = 100
    posted(other, frame(NEW, 3), of=50)  # of a frame that never came
    labels, pairs = evidence(server, rollout)
    assert sorted(label[1:] for label in labels) == sorted([("new", 12, right), ("old", 1, 0)])
    assert right + wrong == 12
    assert differing > 0
    (pair,) = pairs
    assert pair[1:] == (12, differing, only_old, only_new, 12)


@pytest.fixture
def rollout(connection: Connection) -> RolloutRow:
    """A rollout of digits from bundle 1 to 2, begun at NOW."""
    assignments.assign(connection, "digits", 1, NOW - 60)
    return begun(connection)


@pytest.mark.parametrize(("model", "at"), [("digits/2", NOW - 1), ("digits/3", NOW), ("letters/2", NOW)])
def test_a_late_label_of_a_frame_from_before_and_one_of_a_third_bundle_say_nothing(
    connection: Connection, rollout: RolloutRow, model: str, at: float
) -> None:
    device = enrolled(connection, "k3v9x2mq")
    answered(connection, device, 1, "digits/2", at=NOW)
    answered(connection, device, 2, model, at=at)
    for sequence in (1, 2):
        labelled(connection, device, sequence, "one", is_correct=sequence == 1, at=NOW + 5)
    assert rollout_evidence.labels(connection, rollout) == [LabelRow(device, "new", 1, 1)]


@pytest.mark.parametrize(
    ("frame_model", "frame_kind", "probe_model", "probe_kind", "probe_at", "pairs"),
    [
        ("digits/2", None, "digits/1", "probe", NOW, 1),
        ("digits/1", None, "digits/2", "probe", NOW, 1),
        ("digits/2", None, "digits/1", "probe", NOW - 1, 0),
        ("digits/2", None, "digits/1", "detail", NOW, 0),
        ("digits/2", "probe", "digits/1", "probe", NOW, 0),
        ("digits/2", None, "digits/2", "probe", NOW, 0),
        ("digits/3", None, "digits/1", "probe", NOW, 0),
        ("digits/2", None, "digits/3", "probe", NOW, 0),
    ],
)
def test_a_pair_is_an_ordinary_frame_and_a_probe_of_it_since_the_rollout_began_one_by_each_bundle(
    connection: Connection,
    rollout: RolloutRow,
    frame_model: str,
    frame_kind: str | None,
    probe_model: str,
    probe_kind: str,
    probe_at: float,
    pairs: int,
) -> None:
    device = enrolled(connection, "k3v9x2mq")
    answered(connection, device, 1, frame_model, at=NOW, kind=frame_kind, of=None if frame_kind is None else 0)
    answered(connection, device, 2, probe_model, at=probe_at, label="two", kind=probe_kind, of=1)
    found = [PairRow(device, 1, 1, 0, 0, 0)] * pairs
    assert rollout_evidence.pairs(connection, rollout) == found
