"""A mistyped variable is told from a known one."""

import pickle

import pytest

from shared.environment import KNOWN, UnknownVariableError, require_known


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("DCTWIRE_SERVER_DEVICE_PROT", "DCTWIRE_SERVER_DEVICE_PORT"),
        ("DCTWIRE_SERVER_QUOTA_FRAMES_PER_SECONDS", "DCTWIRE_SERVER_QUOTA_FRAMES_PER_SECOND"),
        ("DCTWIRE_DEVICE_PORT", "DCTWIRE_SERVER_DEVICE_PORT"),
        ("DCTWIRE_SENSOR_STAET", "DCTWIRE_SENSOR_STATE"),
        ("DCTWIRE_OPERATOR_ULR", "DCTWIRE_OPERATOR_URL"),
        ("DCTWIRE_DATA_DIR", "DCTWIRE_DATA"),
        ("DCTWIRE_SERVER__DATA", "DCTWIRE_SERVER_DATA"),
        ("dctwire_server_data", "DCTWIRE_SERVER_DATA"),
        ("DCTWRE_SERVER_DATA", "DCTWIRE_SERVER_DATA"),
        ("DTCWIRE_OPERATOR_URL", "DCTWIRE_OPERATOR_URL"),
    ],
)
def test_a_mistyped_variable_is_named_with_the_one_that_was_meant_and_without_its_value(
    mistyped: str, meant: str
) -> None:
    with pytest.raises(UnknownVariableError) as told:
        require_known({"PATH": "/bin", mistyped: "a-secret"})
    assert told.value.names == (mistyped,)
    assert f"did you mean {meant}?" in str(told.value)
    assert "a-secret" not in str(told.value)


def test_what_is_like_none_of_ours_is_refused_without_a_guess() -> None:
    with pytest.raises(UnknownVariableError, match="DCTWIRE_ZZZZZZZZZZZZZZZZZZZZZZZZZ is none that dctwire reads: rem"):
        require_known({"DCTWIRE_ZZZZZZZZZZZZZZZZZZZZZZZZZ": ""})


def test_the_variables_of_every_program_are_known_to_all_and_others_are_nobodys_business() -> None:
    require_known(dict.fromkeys(KNOWN, ""))
    require_known({"DATA": "", "DISPLAY": ":0", "DCT": "", "DOCKER_HOST": "x", "HOME": "/root"})


def test_what_kubernetes_tells_of_a_service_of_our_name_is_no_setting() -> None:
    require_known(
        {
            "DCTWIRE_SERVER_SERVICE_HOST": "10.0.0.1",
            "DCTWIRE_SERVER_SERVICE_PORT": "8000",
            "DCTWIRE_SERVER_SERVICE_PORT_DEVICE": "8000",
            "DCTWIRE_SERVER_PORT": "tcp://10.0.0.1:8000",
            "DCTWIRE_SERVER_PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "DCTWIRE_SERVER_PORT_8000_TCP_ADDR": "10.0.0.1",
        }
    )
    with pytest.raises(UnknownVariableError, match="DCTWIRE_SERVER_PORT "):
        require_known({"DCTWIRE_SERVER_PORT": "8000"})


def test_the_error_survives_pickle() -> None:
    error = UnknownVariableError(["DCTWIRE_X"])
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.names, str(copy)) == (error.names, str(error))
