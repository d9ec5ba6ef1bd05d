"""Which pictures are taken where only a share of them is wanted."""

from sensor_client.policies import is_sampled

MOMENTS = range(1_700_000_000_000, 1_700_000_000_000 + 20_000 * 1000, 1000)


def test_about_the_share_is_taken_and_a_larger_share_takes_those_of_a_smaller_one_too() -> None:
    tenth = {moment for moment in MOMENTS if is_sampled("dev1", moment, 0.1)}
    half = {moment for moment in MOMENTS if is_sampled("dev1", moment, 0.5)}
    assert 1800 < len(tenth) < 2200 and tenth < half
    assert all(is_sampled("dev1", moment, 1.0) for moment in MOMENTS)


def test_devices_are_not_in_step() -> None:
    ours, theirs = ([is_sampled(device, moment, 0.5) for moment in MOMENTS] for device in ("dev1", "dev2"))
    assert 9000 < sum(one == other for one, other in zip(ours, theirs, strict=True)) < 11_000
