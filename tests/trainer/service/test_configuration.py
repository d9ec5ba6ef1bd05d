"""`service.toml`: read, checked to the last key, and printed whole."""

import tomllib
from pathlib import Path

import pytest

from trainer.service.configuration import (
    ConfigurationError,
    FamilySettings,
    Gates,
    Limits,
    ServiceSettings,
    Triggers,
    example,
    read_settings,
    require_files,
)

LEAST = """
server = "http://127.0.0.1:8001/"
token_file = "token"
keys = "/etc/keys"
data = "trainings"
[families.doorbell]
champion = "runs/v1"
bundle = "bundles/v1"
"""


def refused(tmp_path: Path, text: str) -> str:
    """What is said of a file that is refused."""
    file = tmp_path / "service.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(file)
    return str(caught.value)


def test_the_least_is_enough_and_relative_paths_start_from_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text(LEAST)
    settings = read_settings(tmp_path / "service.toml")
    assert settings.server == "http://127.0.0.1:8001"
    assert (settings.token_file, settings.keys) == (tmp_path / "token", Path("/etc/keys"))
    assert settings.families["doorbell"].champion == tmp_path / "runs/v1"
    assert settings.families["doorbell"].triggers == Triggers()


def test_paths_are_absolute_wherever_the_file_is_read_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.toml").write_text(LEAST)
    expected = read_settings(tmp_path / "service.toml")
    monkeypatch.chdir(tmp_path)
    assert read_settings(Path("service.toml")) == expected
    assert expected.families["doorbell"].bundle == tmp_path / "bundles/v1"


def test_what_is_needed_at_the_end_of_a_training_is_missed_before_one_begins(tmp_path: Path) -> None:
    text = LEAST.replace("/etc/keys", "nokeys").replace("data =", 'passphrase_file = "secret"\ndata =')
    (tmp_path / "service.toml").write_text(text + 'plan = "plan.toml"\n')
    settings = read_settings(tmp_path / "service.toml")
    with pytest.raises(ConfigurationError) as caught:
        require_files(settings)
    assert str(caught.value).splitlines()[1:] == [
        f"  keys: there is no folder {tmp_path / 'nokeys'}",
        f"  token_file: there is no file {tmp_path / 'token'}",
        f"  passphrase_file: there is no file {tmp_path / 'secret'}",
        f"  families.doorbell.plan: there is no file {tmp_path / 'plan.toml'}",
    ]
    (tmp_path / "nokeys").mkdir()
    for name in ("token", "secret", "plan.toml"):
        (tmp_path / name).touch()
    require_files(settings)


def test_the_example_is_read_as_it_is_and_names_every_key(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text(example())
    assert read_settings(tmp_path / "service.toml").families["doorbell"].gates == Gates()
    lines = [line.removeprefix("# ") for line in example().splitlines()]
    for section in (ServiceSettings, Limits, FamilySettings, Triggers, Gates):
        nested = {"limits", "families", "triggers", "gates"}
        for key in set(section.model_fields) - nested:
            assert [line for line in lines if line.startswith(f"{key} =")], key


def test_every_fault_is_named_with_its_key_and_what_to_write(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        LEAST.replace("http://127.0.0.1:8001/", "127.0.0.1:8001").replace('token_file = "token"\n', "")
        + 'budgte = 90\n[families.doorbell.triggers]\nlables = 3\n[limits]\nthreads = "two"\n',
    )
    assert "server: write the operator plane as http://HOST:PORT" in said
    assert "token_file: is missing; --print-example" in said
    assert "families.doorbell.budgte: is no key here; did you mean budget?" in said
    assert "families.doorbell.triggers.lables: is no key here; did you mean labels" in said
    assert "limits.threads: Input should be a valid integer" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LEAST.replace("doorbell", "Door_Bell"), "a family's name has lower case letters"),
        (LEAST.split("[families", maxsplit=1)[0], "families: is missing"),
        (LEAST + "[families.doorbell.triggers]\nlabels = 10\n", "labels must not be below labels_least"),
        (LEAST + "[families.doorbell.triggers]\nback_off_hours = 48\n", "back_off_hours must not be above"),
        (LEAST + 'policy = "now"\n', "policy: Input should be 'draft' or 'start'"),
        (LEAST + "budget = 0.5\n", "no scan is shorter than a byte"),
        ("server = ", "is no TOML"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_file_that_is_not_there_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--print-example"):
        read_settings(tmp_path / "service.toml")


def test_the_example_is_toml_without_its_comments_too() -> None:
    assert tomllib.loads(example())["families"]["doorbell"]["policy"] == "draft"
