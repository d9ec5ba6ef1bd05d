"""docs/results.md is for people: every record is a claim with a sentence, and a picture or a table."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.claims import CLAIMS, IMAGES, draw, rows_by_size
from benchmarks.record import RESULTS
from benchmarks.report import results_page, section

RECORDS = {path.stem: json.loads(path.read_text()) for path in RESULTS.glob("*.json")}


def test_every_record_is_a_claim_and_every_claim_has_its_record() -> None:
    assert CLAIMS.keys() == RECORDS.keys()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_one_sentence_that_names_figures(name: str) -> None:
    sentence = CLAIMS[name].sentence(RECORDS[name]["figures"])
    assert sentence.endswith(".")
    assert re.search(r"\d", sentence)
    assert len(sentence) < 500


@pytest.mark.parametrize("name", CLAIMS)
def test_a_section_leads_to_its_figures_and_shows_no_raw_ones(name: str) -> None:
    text = section(name, CLAIMS[name], RECORDS[name])
    assert f"(../benchmarks/results/{name}.json)" in text
    assert f"commit {RECORDS[name]['commit']}" in text
    assert not [key for key in RECORDS[name]["figures"] if f"| `{key}` |" in text]


def test_every_picture_of_the_page_is_there() -> None:
    pictures = re.findall(r"\(images/([^)]+)\)", results_page(RECORDS))
    assert len(pictures) >= 10
    assert not [picture for picture in pictures if not (IMAGES / picture).exists()]


def test_bars_are_drawn_where_no_benchmark_draws(tmp_path: Path) -> None:
    for name, claim in CLAIMS.items():
        draw(claim, RECORDS[name]["figures"], tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {claim.picture for claim in CLAIMS.values() if claim.bars}


def test_what_was_not_measured_is_empty_in_a_table() -> None:
    table = rows_by_size({"ms_32px": 0.12345, "ms_224px": 1234.5}, "milliseconds", {"ours": "ms_{px}px"})
    assert table.splitlines()[-1] == "| ours | 0.123 |  | 1,234 |"
