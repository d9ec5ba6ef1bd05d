"""Which classifier answers which frame, as a table of cases."""

from pathlib import Path

import pytest

from cloud_server.errors import NotReadyError, WrongSizeError
from cloud_server.inference.serving import Lane, Model, Serving
from cloud_server.inference.session import Classifier
from shared.jpeg import Encoder, Sampling, Stream, SymbolCounts, TableSet, UnknownTablesError, inspect
from shared.wire import Match
from tests.cloud_server.rig import LABELS, frame, picture, tables, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where bundles are made."""
    return tmp_path


def model(folder: Path, family: str, counter: int, table_set: TableSet) -> Model:
    """A loaded bundle."""
    place = folder / f"{family}-{counter}"
    bundle = write_bundle(place, family, counter, table_set)
    return Model(bundle, LABELS, Classifier.load(place / "classifier.onnx", bundle.input, len(LABELS)))


def lane(serving: Serving, family: str, table_set: TableSet, stream: Stream = Stream.ABBREVIATED) -> Lane:
    """The lane of a frame coded with these tables."""
    return serving.lane(family, inspect(frame(table_set, 0, stream)))


def described(chosen: Lane) -> tuple[str, str, Match]:
    """What counts about a lane."""
    return chosen.model.bundle.name, chosen.tables, chosen.match


def fitted(table_set: TableSet) -> TableSet:
    """The same quantisation with other Huffman tables."""
    counts = SymbolCounts()
    y, c = Encoder(table_set).quantise_batch(picture(0)[None])
    assert c is not None
    counts.add(y, c)
    return table_set.with_huffman(counts.tables())


def test_nothing_is_ready_before_the_first_bundle() -> None:
    with pytest.raises(NotReadyError):
        lane(Serving(), "a", tables(50))


def test_each_table_set_leads_to_its_own_model(folder: Path) -> None:
    serving = Serving.of([model(folder, "a", 1, tables(50)), model(folder, "a", 2, tables(25))])
    assert described(lane(serving, "a", tables(50))) == ("a/1", "v1", Match.EXACT)
    assert described(lane(serving, "a", tables(25))) == ("a/2", "v2", Match.EXACT)
    assert described(lane(serving, "a", tables(50), Stream.INTERCHANGE)) == ("a/1", "interchange", Match.EXACT)
    assert described(lane(serving, "a", tables(80), Stream.INTERCHANGE)) == ("a/2", "interchange", Match.FALLBACK)


def test_huffman_tables_change_size_and_never_meaning(folder: Path) -> None:
    """A later bundle that only refits Huffman has the same quant id: its classifier serves both streams."""
    serving = Serving.of([model(folder, "a", 1, tables(50)), model(folder, "a", 2, fitted(tables(50)))])
    assert tables(50).tables_id != fitted(tables(50)).tables_id
    assert described(lane(serving, "a", tables(50))) == ("a/2", "v1", Match.EXACT)
    assert described(lane(serving, "a", fitted(tables(50)))) == ("a/2", "v2", Match.EXACT)


def test_a_retrained_classifier_of_the_same_tables_takes_over(folder: Path) -> None:
    serving = Serving.of([model(folder, "a", 2, tables(50)), model(folder, "a", 1, tables(50))])
    assert described(lane(serving, "a", tables(50))) == ("a/2", "v2", Match.EXACT)


def test_families_share_tables_and_not_classifiers(folder: Path) -> None:
    serving = Serving.of([model(folder, "a", 1, tables(50)), model(folder, "b", 7, tables(25))])
    assert described(lane(serving, "b", tables(25))) == ("b/7", "v7", Match.EXACT)
    assert described(lane(serving, "b", tables(50))) == ("b/7", "unknown", Match.FALLBACK)
    both = serving.with_model(model(folder, "b", 8, tables(50)))
    assert described(lane(both, "b", tables(50))) == ("b/8", "v8", Match.EXACT)
    assert described(lane(both, "a", tables(50))) == ("a/1", "v1", Match.EXACT)


def test_unknown_tables_without_content_cannot_be_decoded(folder: Path) -> None:
    serving = Serving.of([model(folder, "a", 1, tables(50))])
    with pytest.raises(UnknownTablesError, match=tables(33).tables_id):
        lane(serving, "a", tables(33))


def test_a_frame_the_model_does_not_take_is_refused_by_name(folder: Path) -> None:
    serving = Serving.of([model(folder, "a", 1, tables(50))])
    with pytest.raises(WrongSizeError, match="a/1 takes 32x32"):
        serving.lane("a", inspect(frame(tables(50), side=64)))


@pytest.mark.parametrize("sampling", [Sampling.YUV444, Sampling.YUV422, Sampling.GREY])
def test_the_same_steps_in_another_sampling_are_other_levels(folder: Path, sampling: Sampling) -> None:
    serving = Serving.of([model(folder, "a", 1, tables(50))])
    other = Encoder(TableSet.standard(50, sampling)).encode(picture(0), Stream.INTERCHANGE)
    assert described(serving.lane("a", inspect(other))) == ("a/1", "interchange", Match.FALLBACK)


def test_adding_a_model_leaves_the_picture_others_hold_untouched(folder: Path) -> None:
    before = Serving.of([model(folder, "a", 1, tables(50))])
    after = before.with_model(model(folder, "a", 2, tables(25)))
    assert list(before.models) == [("a", 1)]
    assert sorted(after.models) == [("a", 1), ("a", 2)]
