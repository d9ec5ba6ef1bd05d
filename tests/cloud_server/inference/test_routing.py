"""Which classifiers may answer which frame, as a table of cases."""

from pathlib import Path

import numpy as np
import pytest

from cloud_server.errors import NotReadyError, WrongSizeError
from cloud_server.inference.routing import Model, Route, RoutingTable
from shared.bundle import Bundle, EncoderSettings
from shared.jpeg import (
    Encoder,
    Resize,
    Sampling,
    Stream,
    SymbolCounts,
    TableSet,
    Transcoder,
    UnknownTablesError,
    inspect,
)
from shared.wire import Match
from tests.cloud_server.harness.bundles import write_bundle
from tests.cloud_server.harness.fallbacks import write_fallback
from tests.cloud_server.harness.frames import frame, picture, tables
from tests.shared.jpeg.exif import block, with_exif


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where bundles are made."""
    return tmp_path


def bundle(folder: Path, family: str, counter: int, table_set: TableSet, side: int = 32) -> Bundle:
    """A published bundle."""
    return write_bundle(folder / f"{family}-{counter}", family, counter, table_set, side=side)


def route(serving: RoutingTable, family: str, table_set: TableSet, stream: Stream = Stream.ABBREVIATED) -> Route:
    """The route of a frame coded with these tables."""
    return serving.route(family, inspect(frame(table_set, 0, stream)))


def described(chosen: Route, anchor: int = 1) -> list[tuple[str, str, Match]]:
    """What counts about a route: who may answer, best first, each once."""
    found: dict[str, tuple[str, str, Match]] = {}
    for one in chosen.best_first(anchor):
        model = Model(one.published, (), None)  # type: ignore[arg-type]
        lane = chosen.lane(one, model)
        found.setdefault(one.published.name, (one.published.name, lane.tables, one.match))
    return list(found.values())


def best(chosen: Route, anchor: int = 1) -> tuple[str, str, Match]:
    """The first of them."""
    return described(chosen, anchor)[0]


def fitted(table_set: TableSet) -> TableSet:
    """The same quantisation with other Huffman tables."""
    counts = SymbolCounts()
    y, c = Encoder(table_set).quantise_batch(picture(0)[None])
    assert c is not None
    counts.add(y, c)
    return table_set.with_huffman(counts.tables())


def test_nothing_is_ready_before_the_first_bundle() -> None:
    with pytest.raises(NotReadyError):
        route(RoutingTable(), "a", tables(50))


def test_each_table_set_leads_to_its_own_model(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50)), bundle(folder, "a", 2, tables(25))])
    assert best(route(serving, "a", tables(50))) == ("a/1", "v1", Match.EXACT)
    assert best(route(serving, "a", tables(25))) == ("a/2", "v2", Match.EXACT)
    assert best(route(serving, "a", tables(50), Stream.INTERCHANGE)) == ("a/1", "interchange", Match.EXACT)
    for counter in (1, 2):
        found = best(route(serving, "a", tables(80), Stream.INTERCHANGE), anchor=counter)
        assert found == (f"a/{counter}", "interchange", Match.FALLBACK)


def test_huffman_tables_change_size_and_never_meaning(folder: Path) -> None:
    """A later bundle that only refits Huffman has the same quant id: its classifier, once assigned, serves both."""
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50)), bundle(folder, "a", 2, fitted(tables(50)))])
    assert tables(50).tables_id != fitted(tables(50)).tables_id
    for counter in (1, 2):
        assert best(route(serving, "a", tables(50)), counter) == (f"a/{counter}", "v1", Match.EXACT)
        assert best(route(serving, "a", fitted(tables(50))), counter) == (f"a/{counter}", "v2", Match.EXACT)


@pytest.mark.parametrize("stream", [Stream.ABBREVIATED, Stream.INTERCHANGE])
def test_of_bundles_with_equal_steps_the_anchor_answers_then_those_before_it_then_those_after(
    folder: Path, stream: Stream
) -> None:
    serving = RoutingTable.of([bundle(folder, "a", counter, tables(50)) for counter in (3, 1, 5, 4)])
    chosen = route(serving, "a", tables(50), stream)
    orders = {anchor: [name for name, *_ in described(chosen, anchor)] for anchor in (1, 4, 5, 2)}
    assert orders == {
        1: ["a/1", "a/3", "a/4", "a/5"],
        4: ["a/4", "a/3", "a/1", "a/5"],
        5: ["a/5", "a/4", "a/3", "a/1"],
        2: ["a/1", "a/3", "a/4", "a/5"],
    }
    labels = [f"v{counter}" if stream is Stream.ABBREVIATED else "interchange" for counter in (4, 3, 1, 5)]
    assert [label for _, label, _ in described(chosen, 4)] == labels
    assert {match for *_, match in described(chosen, 4)} == {Match.EXACT}


@pytest.mark.parametrize("anchor", [1, 2, 3])
@pytest.mark.parametrize("published", [50, 25, 60])
def test_publishing_changes_no_answer(folder: Path, anchor: int, published: int) -> None:
    before = RoutingTable.of(bundle(folder, "a", counter, tables(50 if counter < 3 else 25)) for counter in (1, 2, 3))
    after = before.leading_to([*before.published.values(), bundle(folder, "a", 4, tables(published))])
    cases = [(50, Stream.ABBREVIATED), (50, Stream.INTERCHANGE), (25, Stream.ABBREVIATED), (80, Stream.INTERCHANGE)]
    for quality, stream in cases:
        was, found = (best(route(serving, "a", tables(quality), stream), anchor) for serving in (before, after))
        assert found == was


def test_without_an_assignment_the_first_bundle_at_or_above_the_floor_is_meant(folder: Path) -> None:
    serving = RoutingTable()
    assert serving.anchor("a", None) == 0
    for counter, min_counter, first in ((2, 1, 2), (3, 1, 2), (4, 3, 3), (5, 1, 3), (9, 9, 9)):
        made = write_bundle(folder / str(counter), "a", counter, tables(50), min_counter=min_counter)
        serving = serving.leading_to([*serving.published.values(), made])
        assert serving.anchor("a", None) == first
        assert serving.anchor("a", 7) == 7
    assert serving.newest == {"a": 9}


def test_what_is_assigned_and_what_may_be_next_stay_in_memory(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", counter, tables(50)) for counter in (1, 2, 3)])
    assert serving.in_use(lambda _one: False, {}) == {"a/1", "a/3"}
    assert serving.in_use(lambda _one: False, {"a": [2]}) == {"a/2", "a/3"}
    assert serving.in_use(lambda one: one.name == "a/3", {"a": [3]}) == {"a/2"}


def test_both_of_a_rollouts_bundles_stay_in_memory(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", counter, tables(50)) for counter in (1, 2, 3, 4)])
    assert serving.in_use(lambda _one: False, {"a": [2, 3]}) == {"a/2", "a/3", "a/4"}
    assert serving.in_use(lambda _one: False, {"a": [None, 3]}) == {"a/1", "a/3", "a/4"}


def test_families_share_tables_and_not_classifiers(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50)), bundle(folder, "b", 7, tables(25))])
    assert best(route(serving, "b", tables(25))) == ("b/7", "v7", Match.EXACT)
    assert best(route(serving, "b", tables(50))) == ("b/7", "unknown", Match.FALLBACK)
    both = serving.leading_to([*serving.published.values(), bundle(folder, "b", 8, tables(50))])
    assert best(route(both, "b", tables(50))) == ("b/8", "v8", Match.EXACT)
    assert best(route(both, "a", tables(50))) == ("a/1", "v1", Match.EXACT)


def test_frames_of_other_tables_lead_to_the_fallback_and_then_to_the_anchor(folder: Path) -> None:
    fallback = write_fallback(folder / "any", "a")
    bundles = [bundle(folder, "a", 1, tables(50)), bundle(folder, "a", 2, tables(25))]
    serving = RoutingTable.of([*bundles, fallback])
    for anchor, names in ((1, ("a/1", "a/2")), (2, ("a/2", "a/1"))):
        found = described(route(serving, "a", tables(80), Stream.INTERCHANGE), anchor)
        assert found == [(name, "interchange", Match.FALLBACK) for name in (fallback.name, *names)]
    assert described(route(serving, "a", tables(50)))[:2] == [
        ("a/1", "v1", Match.EXACT),
        (fallback.name, "v1", Match.FALLBACK),
    ]


def test_a_routing_table_of_others_forgets_the_fallback_that_is_not_among_them(folder: Path) -> None:
    one, fallback = bundle(folder, "a", 1, tables(50)), write_fallback(folder / "any", "a")
    serving = RoutingTable.of([one, fallback])
    assert best(route(serving, "a", tables(80), Stream.INTERCHANGE))[0] == fallback.name
    assert best(route(serving.leading_to([one]), "a", tables(80), Stream.INTERCHANGE))[0] == "a/1"


def test_a_family_with_a_fallback_alone_reads_whole_files(folder: Path) -> None:
    only = write_fallback(folder / "any", "a")
    serving = RoutingTable.of([only])
    assert best(route(serving, "a", tables(80), Stream.INTERCHANGE)) == (only.name, "interchange", Match.FALLBACK)
    with pytest.raises(UnknownTablesError):
        route(serving, "a", tables(80))


def test_unknown_tables_without_content_cannot_be_decoded(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50))])
    with pytest.raises(UnknownTablesError, match=tables(33).tables_id):
        route(serving, "a", tables(33))


def test_a_frame_no_model_takes_is_refused_by_name(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50))])
    info = inspect(frame(tables(50), side=64))
    with pytest.raises(WrongSizeError, match="a/1 takes 32x32"):
        list(serving.route("a", info).of_size(info, 1))


def test_a_frame_of_another_bundles_size_goes_to_that_one(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50), side=64), bundle(folder, "a", 2, tables(25))])
    info = inspect(frame(tables(80), 0, Stream.INTERCHANGE, side=64))
    assert [one.published.name for one in serving.route("a", info).of_size(info, 2)] == ["a/1"]


def test_a_file_of_another_size_is_brought_to_the_anchors(folder: Path) -> None:
    fallback = write_fallback(folder / "any", "a")
    bundles = [bundle(folder, "a", 1, tables(50)), bundle(folder, "a", 2, tables(25))]
    chosen = route(RoutingTable.of([*bundles, fallback]), "a", tables(80), Stream.INTERCHANGE)
    info = inspect(frame(tables(80), 0, Stream.INTERCHANGE, side=48))
    for anchor, names in ((1, ["a/1", "a/2"]), (2, ["a/2", "a/1"])):
        found = list(chosen.of_size(info, anchor))
        assert [one.published.name for one in found] == [*names, fallback.name]
        assert {one.match for one in found} == {Match.RESIZED}
        assert all(one.transcoder is not None for one in found)
    with pytest.raises(WrongSizeError, match="takes 32x32"):
        list(chosen.of_size(info, 1, may_resize=False))


def test_a_frame_without_tables_is_read_as_it_lies_whatever_its_exif_says(folder: Path) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50))])
    info = inspect(with_exif(frame(tables(50)), block(6)))
    first = next(serving.route("a", info).of_size(info, 1))
    assert (info.orientation, first.match) == (6, Match.EXACT)


def test_a_picture_that_is_resized_is_quantised_as_the_bundles_sensors_do_it(folder: Path) -> None:
    settings = EncoderSettings.nearest(rounding=0.25, weights=0.01)
    made = write_bundle(folder / "a-1", "a", 1, tables(50), settings=settings)
    file = frame(tables(95), 0, Stream.INTERCHANGE, side=64)
    (candidate,) = RoutingTable.of([made]).route("a", inspect(file)).of_size(inspect(file), 1)
    assert candidate.transcoder is not None
    sensor = Transcoder(made.tables, resize=Resize(32, 32), quantisation=settings.quantisation())
    (luma, _), (expected, _) = candidate.transcoder.levels(file), sensor.levels(file)
    assert np.array_equal(luma, expected)


@pytest.mark.parametrize("sampling", [Sampling.YUV444, Sampling.YUV422, Sampling.GREY])
def test_the_same_steps_in_another_sampling_are_other_levels(folder: Path, sampling: Sampling) -> None:
    serving = RoutingTable.of([bundle(folder, "a", 1, tables(50))])
    other = Encoder(TableSet.standard(50, sampling)).encode(picture(0), Stream.INTERCHANGE)
    assert best(serving.route("a", inspect(other))) == ("a/1", "interchange", Match.FALLBACK)


def test_adding_a_bundle_leaves_the_picture_others_hold_untouched(folder: Path) -> None:
    before = RoutingTable.of([bundle(folder, "a", 1, tables(50))])
    after = before.leading_to([*before.published.values(), bundle(folder, "a", 2, tables(25))])
    assert list(before.published) == ["a/1"]
    assert sorted(after.published) == ["a/1", "a/2"]
