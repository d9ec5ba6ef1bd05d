"""Signatures are those of Standard Webhooks, one for each secret; what is no secret is refused and not repeated."""

import pytest

from cloud_server.events.signing import WebhookSecretError, secrets_of, signed_headers
from examples.webhook_receiver import UnverifiedError, verified
from tests.cloud_server.harness.receivers import OTHER_SECRET, SECRET

BODY = b'{"test": 2432232314}'


def test_a_signature_is_the_one_of_standard_webhooks_own_test() -> None:
    """libraries/python/tests/test_webhooks.py of standard-webhooks/standard-webhooks, `test_sign_function`."""
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, secrets_of(SECRET))
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("known", [SECRET, OTHER_SECRET])
def test_during_a_rotation_whoever_knows_one_of_the_secrets_believes_a_message(known: str) -> None:
    headers = signed_headers("a", 1000, BODY, secrets_of(f"{SECRET}\n{OTHER_SECRET}\n"))
    assert verified(headers, BODY, (known,), 1000.0) == {"test": 2432232314}


@pytest.mark.parametrize(
    ("changes", "body", "now"),
    [
        ({"webhook-id": "b"}, BODY, 1000.0),
        ({"webhook-timestamp": "1001"}, BODY, 1000.0),
        ({"webhook-signature": ""}, BODY, 1000.0),
        ({}, BODY + b" ", 1000.0),
        ({}, BODY, 1301.0),
    ],
)
def test_a_message_that_was_changed_or_kept_for_later_is_not_believed(
    changes: dict[str, str], body: bytes, now: float
) -> None:
    headers = {**signed_headers("a", 1000, BODY, secrets_of(SECRET)), **changes}
    with pytest.raises(UnverifiedError):
        verified(headers, body, (SECRET,), now)


def test_a_message_that_somebody_else_signed_is_not_believed() -> None:
    headers = signed_headers("a", 1000, BODY, secrets_of(OTHER_SECRET))
    with pytest.raises(UnverifiedError):
        verified(headers, BODY, (SECRET,), 1000.0)


@pytest.mark.parametrize(
    "text", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%%%", f"{SECRET} x", f"{SECRET} " * 5]
)
def test_what_holds_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(WebhookSecretError) as caught:
        secrets_of(text)
    assert "MfKQ" not in str(caught.value)
