"""The spool against a model, through every order of operations and restarts."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from sensor_client.spool import Spool, SpoolLimits

LIMITS = SpoolLimits(frame_bytes=60, frames=5, dead_letters=3)


class SpoolMachine(RuleBasedStateMachine):
    """Model: frames waiting in order, labels waiting, and the counts of every fate."""

    sequences = Bundle("sequences")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(Path(self.folder.name) / "spool.sqlite3", LIMITS)
        self.waiting: dict[int, tuple[bytes, str | None]] = {}
        self.labels: dict[int, str] = {}
        self.given: set[int] = set()
        self.fates = dict.fromkeys(("encoded", "acknowledged", "refused", "dropped", "unreadable"), 0)
        self.dead: list[int] = []

    @rule(target=sequences, body=st.binary(max_size=70), label=st.none() | st.sampled_from("AB"))
    def append(self, body: bytes, label: str | None) -> int:
        sequence = self.spool.append(body, 0, label=label)
        assert sequence not in self.given and sequence > max(self.given, default=0)
        self.given.add(sequence)
        self.waiting[sequence] = (body, label)
        self.fates["encoded"] += 1
        while len(self.waiting) > LIMITS.frames or self.waiting_bytes() > LIMITS.frame_bytes:
            del self.waiting[min(self.waiting)]
            self.fates["dropped"] += 1
        return sequence

    @rule()
    def see_rubbish(self) -> None:
        self.spool.set_aside("0.png", "no picture", 0)
        self.fates["unreadable"] += 1

    @rule(sequence=consumes(sequences))
    def acknowledge(self, sequence: int) -> None:
        self.spool.acknowledge([sequence])
        if sequence in self.waiting:
            self.fates["acknowledged"] += 1
            label = self.waiting.pop(sequence)[1]
            if label is not None:
                self.labels[sequence] = label

    @rule(sequence=consumes(sequences))
    def refuse(self, sequence: int) -> None:
        self.spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="why")
        if self.waiting.pop(sequence, None) is not None:
            self.fates["refused"] += 1
            self.dead = sorted([*self.dead, sequence])[-LIMITS.dead_letters :]

    @precondition(lambda self: self.labels)
    @rule()
    def tell_a_label(self) -> None:
        sequence = min(self.labels)
        assert self.spool.pending_labels(1)[0].label == self.labels.pop(sequence)
        self.spool.settle_labels([sequence], [])

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.spool = Spool(Path(self.folder.name) / "spool.sqlite3", LIMITS)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert {frame.sequence: (frame.body, frame.label) for frame in self.spool.oldest(99)} == self.waiting
        assert {label.sequence: label.label for label in self.spool.pending_labels(99)} == self.labels
        assert [letter.sequence for letter in self.spool.dead_letters()] == self.dead
        depth = self.spool.depth()
        assert (depth.frames, depth.frame_bytes) == (len(self.waiting), self.waiting_bytes())

    @invariant()
    def loses_nothing_silently(self) -> None:
        counters = self.spool.counters()
        assert {name: getattr(counters, name) for name in self.fates} == self.fates
        assert counters.captured == counters.encoded + counters.unreadable
        settled = counters.acknowledged + counters.refused + counters.dropped
        assert counters.encoded == settled + len(self.waiting)

    def waiting_bytes(self) -> int:
        return sum(len(body) for body, _ in self.waiting.values())

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
