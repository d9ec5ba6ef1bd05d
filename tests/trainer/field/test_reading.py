"""A classifier reads frames of other tables as its net would read their coefficients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.field.conftest import Champion
from tests.trainer.field.exports import sent_of, write_export
from trainer.data import SplitName, synthetic
from trainer.encoding import streams
from trainer.encoding.encodings import of_standard
from trainer.export.bundle import served_net
from trainer.export.classifier import OnnxClassifier
from trainer.field.reading import FieldReader
from trainer.field.uploads import Uploads, read_export

PICTURES = synthetic.generate(SplitName.TEST, 64, size=32, seed=5)


def uploads_of(quality: float, folder: Path) -> Uploads:
    write_export(folder / "export", sent_of(PICTURES, synthetic.CLASSES, ["a"], of_standard(quality)))
    return read_export(folder / "export", synthetic.CLASSES, (32, 32), folder / "cache").frames


@pytest.mark.parametrize("quality", [35, 50, 60])
def test_other_tables_mean_to_the_graph_what_they_mean_to_the_net(
    champion: Champion, quality: float, tmp_path: Path
) -> None:
    uploads, rows = uploads_of(quality, tmp_path), np.arange(64)
    reader = FieldReader(champion.content)
    with torch.no_grad():
        expected = served_net(champion.run, champion.dataset)(reader.seen(uploads, rows)).numpy()
    logits = reader.logits(uploads, rows)
    assert np.abs(logits - expected).max() < 1e-3 * expected.std()
    assert torch.equal(reader.seen(uploads, rows).y, uploads.dequantised(rows).y)  # no step is fine enough


def test_frames_of_its_own_tables_are_answered_as_by_the_server(champion: Champion, tmp_path: Path) -> None:
    uploads = uploads_of(50, tmp_path)
    served = OnnxClassifier(champion.content.model).logits(streams.quantise(champion.content.encoding, PICTURES))
    order = [row.frame_id for row in uploads.rows]
    places = [int(frame_id.partition(".")[2]) - 1 for frame_id in order]
    assert np.allclose(FieldReader(champion.content).logits(uploads, np.arange(64)), served[places], atol=1e-4)


def test_finer_frames_are_read_as_its_own_cameras_would_have_sent_them(champion: Champion, tmp_path: Path) -> None:
    uploads, rows = uploads_of(98, tmp_path), np.arange(64)
    seen = FieldReader(champion.content).seen(uploads, rows)
    places = [int(row.frame_id.partition(".")[2]) - 1 for row in uploads.rows]
    own = streams.quantise(champion.content.encoding, PICTURES.take(np.array(places)))
    steps = torch.tensor([list(table) for table in champion.content.encoding.tables.quant], dtype=torch.float32)
    levels = seen.y / steps[0].view(-1, 1, 1)
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert float((levels.round() != own.y.float()).float().mean()) < 0.02


def test_simulated_frames_are_answered_nearly_as_rightly_as_its_own_cameras_frames(
    champion: Champion, tmp_path: Path
) -> None:
    many = synthetic.generate(SplitName.TEST, 1_000, size=32, seed=6)
    write_export(tmp_path / "export", sent_of(many, synthetic.CLASSES, ["a"], of_standard(90)))
    uploads = read_export(tmp_path / "export", synthetic.CLASSES, (32, 32), tmp_path / "cache").frames
    simulated = FieldReader(champion.content).logits(uploads, np.arange(1_000)).argmax(1) == uploads.labels
    own = OnnxClassifier(champion.content.model).logits(streams.quantise(champion.content.encoding, many))
    assert abs(simulated.mean() - (own.argmax(1) == many.labels).mean()) < 0.02


def test_no_frames_have_no_logits(champion: Champion, tmp_path: Path) -> None:
    assert FieldReader(champion.content).logits(uploads_of(50, tmp_path), np.arange(0)).shape == (
        0,
        len(synthetic.CLASSES),
    )
