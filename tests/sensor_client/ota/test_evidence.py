"""What is told of tables, and what of it counts."""

import threading

from sensor_client.ota.evidence import REASON_LIMIT_CHARACTERS, Evidence, Seen


def test_what_is_told_of_the_tables_on_trial_is_counted_until_it_is_taken() -> None:
    evidence = Evidence(wake=lambda: None)
    evidence.watch("new")

    evidence.encoded("new")
    evidence.proved("new", 2)
    evidence.proved("new", 1)
    evidence.refused("new", 4)
    evidence.encoder_failed("new", "first")
    evidence.encoder_failed("new", "second")

    assert evidence.take() == Seen(was_encoded=True, failure="first", proofs=3, refusals=4)
    assert evidence.take() == Seen()


def test_what_is_told_of_other_tables_is_passed_over_and_wakes_nobody() -> None:
    woken = []
    evidence = Evidence(wake=lambda: woken.append(1))
    evidence.proved("new", 1)
    evidence.watch("new")
    evidence.proved("old", 1)
    evidence.encoder_failed("old", "why")

    assert evidence.take() == Seen() and woken == []


def test_frames_after_the_first_one_wake_nobody_again() -> None:
    woken = []
    evidence = Evidence(wake=lambda: woken.append(1))
    evidence.watch("new")

    for _ in range(1000):
        evidence.encoded("new")

    assert woken == [1]


def test_counting_begins_anew_with_other_tables_and_goes_on_with_the_same() -> None:
    evidence = Evidence(wake=lambda: None)
    evidence.watch("new")
    evidence.proved("new", 2)
    evidence.watch("new")
    assert evidence.take().proofs == 2

    evidence.proved("new", 2)
    evidence.watch("newer")
    evidence.watch("new")
    assert evidence.take() == Seen()


def test_a_reason_is_kept_to_a_length() -> None:
    evidence = Evidence(wake=lambda: None)
    evidence.watch("new")

    evidence.encoder_failed("new", "w" * 9999)

    assert evidence.take().failure == "w" * REASON_LIMIT_CHARACTERS


def test_threads_may_tell_at_once() -> None:
    evidence = Evidence(wake=lambda: None)
    evidence.watch("new")

    def tell() -> None:
        for _ in range(2000):
            evidence.proved("new", 1)

    tellers = [threading.Thread(target=tell) for _ in range(4)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()

    assert evidence.take().proofs == 8000
