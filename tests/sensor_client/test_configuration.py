"""A configuration file says settings by name and type, and what it says wrongly is told."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sensor_client.configuration import LIMIT_BYTES, ConfigurationError, as_text, parse, read

KINDS: dict[str, Any] = {"rate": float | None, "batch": int, "probes": bool, "source": str, "spool_bytes": int}


def test_settings_are_found_by_their_names_on_the_command_line() -> None:
    text = 'rate = 2\nbatch = 16\nprobes = false\nsource = "/pictures"\nspool-bytes = 1_000\n'

    assert parse(text, KINDS) == {
        "rate": 2,
        "batch": 16,
        "probes": False,
        "source": "/pictures",
        "spool_bytes": 1000,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("btach = 3", "btach is no setting: did you mean batch?"),
        ("spool_bytes = 3", "spool_bytes is no setting: did you mean spool-bytes?"),
        ("zzzzzzzz = 3", "zzzzzzzz is no setting. All: batch, probes, rate, source, spool-bytes"),
        ('batch = "3"', 'batch wants a whole number, and is "3"'),
        ("batch = true", "batch wants a whole number, and is true"),
        ("batch = 3.5", "batch wants a whole number, and is 3.5"),
        ('rate = "fast"', 'rate wants a number, and is "fast"'),
        ("rate = false", "rate wants a number, and is false"),
        ("probes = 1", "probes wants true or false, and is 1"),
        ("source = 5", 'source wants a text in quotes ("..."), and is 5'),
        ("[source]\nname = 5", 'source wants a text in quotes ("..."), and is a dict'),
        ("batch = ", "Invalid value"),
        ("rate = " + 20_000 * "[", "brackets stand too deep"),
        ("batch = " + 5_000 * "9", "brackets stand too deep in one another, or a number has thousands of digits"),
    ],
)
def test_what_is_no_setting_or_no_value_of_one_is_refused_with_what_was_meant(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "sensor.toml").write_text(text)

    with pytest.raises(ConfigurationError) as error:
        read(tmp_path / "sensor.toml", KINDS)

    assert str(error.value).startswith(f"{tmp_path}/sensor.toml: {told}")


@pytest.mark.parametrize(
    ("data", "told"), [(b"\xff\xfe", "utf-8"), (b"#" * (LIMIT_BYTES + 1), "larger than"), (None, "cannot be read")]
)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, data: bytes | None, told: str) -> None:
    path = tmp_path / "sensor.toml"
    path.mkdir() if data is None else path.write_bytes(data)

    with pytest.raises(ConfigurationError, match=told) as error:
        read(path, KINDS)

    assert str(path) in str(error.value)


@pytest.mark.parametrize("value", [True, False, 3, 2.5, 'a "b" \\ \u00e9 \n\x7f \U0001f600', Path("/a b"), ""])
def test_what_is_printed_is_read_back(value: object) -> None:
    (read_back,) = tomllib.loads(as_text("spool_bytes", value)).values()

    assert read_back == (str(value) if isinstance(value, Path) else value)
    assert as_text("rate", None) == "# rate is not set"


def test_a_pipe_is_no_configuration_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is no file: write the settings into one"):
        read(tmp_path / "pipe", {})
