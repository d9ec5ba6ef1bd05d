"""From the field back to the trainer: what cameras sent and people labelled is a data set, as it is exported."""

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from cloud_server.cli.app import app
from shared.jpeg import Decoder
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.feedback import KEEP_ALL, answered, kept, review
from tests.cloud_server.harness.frames import frame, tables
from tests.cloud_server.harness.server import server_in_thread
from trainer.data import SplitName, folder
from trainer.data.cache import ArrayCache
from trainer.data.folder import FolderConfig

LABELS = ("one", "Zwei: 2", "three")


def test_an_export_is_a_data_set_with_the_labels_that_people_gave(tmp_path: Path) -> None:
    write_bundle(tmp_path / "v1", "digits", 1, tables(50))
    with server_in_thread(tmp_path / "server", **KEEP_ALL) as harness:
        harness.publish(tmp_path / "v1")
        device = harness.enrol("digits")
        for seed in range(30):
            frame_id = answered(device, seed)["id"]
            kept(harness, frame_id)
            review(harness, frame_id, LABELS[seed % 3])
        words = ["samples", "export", "digits", str(tmp_path / "out"), "--with-foreign"]
        exported = CliRunner().invoke(app, words, env=harness.as_operator)
        assert exported.exit_code == 0, exported.output
    dataset = folder.load(FolderConfig(tmp_path / "out", "field", 32, validation=6), ArrayCache(tmp_path / "cache"))
    assert set(dataset.classes) == set(LABELS)
    assert [len(dataset.split(name)) for name in SplitName] == [18, 6, 6]
    everything = np.concatenate([np.asarray(dataset.split(name).pixels) for name in SplitName])
    with Image.open(next((tmp_path / "out" / "test").rglob("*.jpg"))) as one:
        assert any(np.array_equal(np.asarray(one), picture) for picture in everything)
    levels = Decoder(tables(50)).decode(frame(tables(50), 0))
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")]
    assert levels in [Decoder().decode(file) for file in files]
