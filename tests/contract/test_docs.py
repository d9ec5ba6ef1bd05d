"""The pages say what the code does: tables, links, commands and figures are compared, not trusted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_server.api.http.problems import INTERNAL
from cloud_server.rollout.gate_kinds import FACTS, Facts
from cloud_server.rollout.plan import DAY, HOUR, Plan, Stage
from cloud_server.settings import ServerSettings, described
from shared.wire import ProblemCode

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


# Words of our own, or with a meaning of our own, that code, metrics and pages use without saying what they mean.
TERMS = """
    abbreviated admission assignment base batch blob block budget bundle candidate classifier coefficient counter
    exchange fallback family floor frame interchange ladder lane lease match offer picture plane prefix quota recipe
    replica rollout route sample sampling scan sequence slot spool stage table target
"""


def test_the_glossary_explains_every_term_once_and_in_order() -> None:
    page = (ROOT / "docs/glossary.md").read_text()
    words = re.findall(r"^\| (?:\*\*)?([^|*]*)", page, re.M)[1:]
    assert words == sorted(words, key=str.lower)
    assert not set(TERMS.split()) - {word.strip() for word in words}


def test_the_problem_table_lists_every_code_as_it_is() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\d+) \| ([a-z-]+) \| (.+) \|$", (ROOT / "docs/wire-format.md").read_text(), re.M
    )
    expected = [(code.value, str(code.status), code.retry.value, code.summary) for code in ProblemCode]
    rows.remove((INTERNAL.code, str(INTERNAL.status), INTERNAL.retry.value, INTERNAL.title))
    assert rows == expected


def test_the_settings_table_lists_every_setting_as_it_is() -> None:
    settings = [described(name) for name in ServerSettings.model_fields]
    rows = [
        f"| `{one.variable.removeprefix('DCTWIRE_SERVER_')}` "
        f"| {'by the machine' if one.is_of_machine else one.default} | {one.meaning} |"
        for one in settings
    ]
    page = (ROOT / "docs" / "operations.md").read_text()
    assert re.findall(r"^\| `[A-Z0-9_]+` \|.*\|$", page, re.M) == rows


WORDED = {"an hour": HOUR, "six hours": 6 * HOUR, "a day": DAY, "a week": 7 * DAY, "none": (), "all tags": ()}
"""Defaults of rollouts as the page on them tells them; others are the numbers or words themselves."""


def worded(told: str) -> object:
    """A default that the page tells."""
    return WORDED[told] if told in WORDED else told if told.isalpha() else float(told)


def test_the_page_on_rollouts_tells_every_default_of_a_plan_and_its_stages() -> None:
    page = (ROOT / "docs/rollouts.md").read_text()
    of_stage = page.split("| of a stage | default |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (`percent`, )?`([a-z_]+)` \| `?([^|`]+)`? \|", of_stage, re.M)
    assert {name: worded(told.strip()) for _, name, told in rows} == {
        name: field.default for name, field in Stage.model_fields.items() if not field.is_required()
    }
    of_plan = page.split("Of the plan:")[1].split("A small fleet")[0].replace("\n", " ")
    told = {name: worded(said) for name, said in re.findall(r"`([a-z_]+)` \(([a-z ]+|[0-9]+)\)", of_plan)}
    assert told == {name: Plan.model_fields[name].default for name in told}
    assert set(re.findall(r"`([a-z_]+)`", of_plan)) == set(Plan.model_fields) - {"stages"}


def told_harm(harm: float, facts: Facts) -> str:
    """A harm as the table of gates tells it."""
    unit = "%" if facts.unit.name == "PERCENT" else "point" if harm == 0.01 else "points"
    return f"{'-' if facts.is_better_high else '+'}{100 * harm:g} {unit}"


def test_the_page_on_rollouts_tells_every_gate_with_its_usual_limits() -> None:
    page = (ROOT / "docs/rollouts.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([-+][^|]+) \| ([-+][^|]+) \|$", page, re.M)
    assert rows == [
        (kind.value, told_harm(facts.limit, facts), told_harm(facts.detects, facts)) for kind, facts in FACTS.items()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^ {4})make ([a-z0-9-]+)", page.read_text(), re.M)) <= targets


def test_results_and_readme_say_what_the_benchmarks_wrote() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.report", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_path_that_the_architecture_names_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    names = re.findall(r"`([a-z_]+/[a-z_{},/]*(?:\.[a-z]+)?)`", page)
    paths = [path for name in names for path in _alternatives(name)]
    homes = (ROOT, ROOT / "shared", ROOT / "cloud_server", ROOT / "tests", ROOT / "shared/jpeg/native/src")
    assert len(paths) > 30
    assert not [path for path in paths if not any((home / path).exists() for home in homes)]


def _alternatives(name: str) -> list[str]:
    """`a/{b,c}/` as a/b/ and a/c/."""
    choice = re.search(r"\{(.*?)\}", name)
    if choice is None:
        return [name]
    return [name.replace(choice[0], one) for one in choice[1].split(",")]
