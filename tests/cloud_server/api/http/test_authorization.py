"""Who is asking: what counts as a session token."""

import pytest

from cloud_server.api.http.authorization import bearer_token


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearers_token_is_taken_whatever_the_case_of_its_scheme(scheme: str) -> None:
    assert bearer_token(f"{scheme} abc") == "abc"


@pytest.mark.parametrize("authorization", ["", "abc", "Basic abc", "Token abc", "Bearertoken abc", "Digest Bearer abc"])
def test_nothing_else_is_a_token(authorization: str) -> None:
    assert bearer_token(authorization) is None


def test_blanks_around_a_token_are_not_part_of_it() -> None:
    assert bearer_token("Bearer   abc ") == "abc"
