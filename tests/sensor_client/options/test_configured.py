"""The command line stands before the environment, this before the file, and the file before the default."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sensor_client.app import app

BATCH = "DCTWIRE_SENSOR_BATCH"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def shown(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(app, ["config", *map(str, arguments)], env=environment)


def test_each_setting_is_told_with_where_it_comes_from_and_the_nearer_one_wins(state: Path) -> None:
    file = state / "sensor.toml"
    file.write_text('source = "/tmp"\nbatch = 2\nlinger = 7\nrate = 4\nprobes = false\n')

    told = shown("--state", state, "--rate", "6", DCTWIRE_SENSOR_BATCH="3", DCTWIRE_SENSOR_RATE="5")

    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert f'state = "{state}"  # the command line' in lines
    assert f'source = "/tmp"  # the file {file}' in lines
    assert "rate = 6.0  # the command line" in lines
    assert "batch = 3  # the environment, DCTWIRE_SENSOR_BATCH" in lines
    assert f"linger = 7.0  # the file {file}" in lines
    assert f"probes = false  # the file {file}" in lines
    assert "poll = 300.0  # the default" in lines


def test_what_config_prints_is_a_configuration_file(state: Path) -> None:
    first = shown("--state", state, "--source", "/tmp", "--batch", "9")
    (state / "printed.toml").write_text(first.stdout)

    again = shown("--config", state / "printed.toml")

    assert again.exit_code == 0, again.output
    values = [[line.partition("  #")[0] for line in told.stdout.splitlines()] for told in (first, again)]
    assert values[0] == values[1] and "batch = 9" in values[1]


def test_the_file_may_be_named_by_the_environment_and_say_where_the_state_is(state: Path) -> None:
    file = state.with_name("elsewhere.toml")
    file.write_text(f'state = "{state}"\nsource = "/tmp"\n')

    told = shown(DCTWIRE_SENSOR_CONFIG=str(file))

    assert told.exit_code == 0 and f'state = "{state}"  # the file {file}' in told.stdout


def test_a_file_named_on_the_command_line_stands_before_the_one_of_the_environment(state: Path) -> None:
    near, far = state / "near.toml", state / "far.toml"
    near.write_text('source = "/tmp"\nbatch = 2\n')
    far.write_text('source = "/tmp"\nbatch = 3\n')

    told = shown("--state", state, "--config", near, DCTWIRE_SENSOR_CONFIG=str(far))

    assert told.exit_code == 0 and f"batch = 2  # the file {near}" in told.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bacht = 1", "did you mean batch?"),
        ("batch = 0", "in {file}: Input should be greater than or equal to 1"),
        ("stream = 'x'", "{file}"),
    ],
)
def test_a_wrong_file_is_wrong_usage_and_named(state: Path, text: str, told: str) -> None:
    file = state / "sensor.toml"
    file.write_text(text)

    refused = shown("--state", state, "--source", "/tmp")

    assert refused.exit_code == 2
    assert told.format(file=file) in " ".join(refused.stderr.split())


def test_a_file_that_is_named_and_not_there_is_wrong_usage_and_none_in_the_state_is_not(state: Path) -> None:
    assert shown("--state", state, "--source", "/tmp").exit_code == 0
    refused = shown("--state", state, "--source", "/tmp", "--config", state / "no.toml")
    assert refused.exit_code == 2 and "no.toml cannot be read" in refused.stderr


def test_help_is_shown_whatever_the_file_holds(state: Path) -> None:
    (state / "sensor.toml").write_text("rubbish")

    assert shown("--state", state, "--help").exit_code == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "inf"),
        ("rate", "nan"),
        ("remote-rate-max", "inf"),
        ("keep-alive", "inf"),
        ("linger", "1e300"),
        ("poll", "inf"),
        ("spool-days", "inf"),
        ("budget-hour", 10**22),
        ("spool-bytes", 10**22),
        ("details-hour", 10**22),
    ],
)
def test_a_number_that_no_device_can_mean_is_wrong_usage_and_no_crash_later(state: Path, name: str, value: str) -> None:
    refused = shown("--state", state, "--source", "/tmp", f"--{name}", value)

    assert refused.exit_code == 2 and "Input should be" in refused.stderr


def test_settings_are_told_before_anybody_has_said_where_pictures_come_from(state: Path) -> None:
    told = shown("--state", state)
    assert told.exit_code == 0, told.output
    assert "# source is not set  # the default" in told.stdout and "poll = 300.0" in told.stdout
    refused = CliRunner().invoke(app, ["run", "--state", str(state)])
    assert refused.exit_code == 2 and "--source" in refused.output
