"""The spool against a model, through every order of operations and restarts."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from sensor_client.spool import Priority, Probe, Spool, SpoolLimits

LIMITS = SpoolLimits(frame_bytes=60, frames=5, dead_letters=3)
ABOVE = st.integers(0, 100) | st.integers(2**42, 2**62)


class SpoolMachine(RuleBasedStateMachine):
    """Model: frames waiting in order, probes and labels waiting, and the counts of every fate."""

    sequences = Bundle("sequences")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(Path(self.folder.name) / "spool.sqlite3", LIMITS)
        self.waiting: dict[int, tuple[bytes, str | None, Priority]] = {}
        self.probes: dict[int, tuple[int, bytes]] = {}
        self.labels: dict[int, str] = {}
        self.given = 0
        self.fates = dict.fromkeys(("encoded", "acknowledged", "refused", "dropped", "unreadable"), 0)
        self.fates |= dict.fromkeys(("probes_encoded", "probes_sent", "probes_dropped"), 0)
        self.dead: list[int] = []

    @rule(
        target=sequences,
        body=st.binary(max_size=70),
        label=st.none() | st.sampled_from("AB"),
        second=st.none() | st.binary(max_size=40),
        priority=st.sampled_from(Priority),
    )
    def append(self, body: bytes, label: str | None, second: bytes | None, priority: Priority) -> int:
        probe = None if second is None else Probe(body=second, target="signs/1.json", tables=None)
        assert self.spool.next_sequence() == self.given + 1
        sequence = self.spool.append(body, 0, label=label, probe=probe, priority=priority)
        assert sequence == self.given + 1
        self.given = sequence
        self.waiting[sequence] = (body, label, priority)
        self.fates["encoded"] += 1
        if second is not None:
            self.given += 1
            self.probes[self.given] = (sequence, second)
            self.fates["probes_encoded"] += 1
        if len(body) > LIMITS.frame_bytes:
            self.drop(sequence)
            self.drop_probes([number for number, (of, _) in self.probes.items() if of == sequence])
        self.make_room()
        return sequence

    def make_room(self) -> None:
        while (
            len(self.waiting) + len(self.probes) > LIMITS.frames
            or self.waiting_bytes() + self.probe_bytes() > LIMITS.frame_bytes
        ):
            if self.probes:
                self.drop_probes([min(self.probes)])
            else:
                self.drop(min(self.waiting, key=lambda number: (self.waiting[number][2], number)))

    def drop(self, sequence: int) -> None:
        del self.waiting[sequence]
        self.fates["dropped"] += 1

    def drop_probes(self, sequences: list[int]) -> None:
        for sequence in sequences:
            del self.probes[sequence]
            self.fates["probes_dropped"] += 1

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

    @precondition(lambda self: self.due())
    @rule()
    def send_a_probe(self) -> None:
        sequence = min(self.due())
        self.spool.acknowledge([sequence])
        del self.probes[sequence]
        self.fates["probes_sent"] += 1

    @rule()
    def give_probes_up(self) -> None:
        assert self.spool.drop_companions() == len(self.probes)
        self.drop_probes(list(self.probes))

    @rule(sequence=consumes(sequences))
    def refuse(self, sequence: int) -> None:
        self.spool.refuse(sequence, status=422, code="corrupt-jpeg", detail="why")
        if self.waiting.pop(sequence, None) is not None:
            self.fates["refused"] += 1
            self.drop_probes([number for number, (of, _) in self.probes.items() if of == sequence])
            latest_first = sorted({*self.dead, sequence}, key=lambda number: (number > self.given, -number))
            self.dead = sorted(latest_first[: LIMITS.dead_letters])

    @precondition(lambda self: self.labels)
    @rule()
    def tell_a_label(self) -> None:
        sequence = min(self.labels)
        assert self.spool.pending_labels(1)[0].label == self.labels.pop(sequence)
        self.spool.settle_labels([sequence], [])

    @rule(above=ABOVE)
    def number_anew(self, above: int) -> None:
        assert self.spool.renumber(above) == len(self.waiting) + len(self.probes)
        base = max(above, self.given) + 1
        first = min((*self.waiting, *self.probes), default=0)
        self.number({old: base + old - first for old in (*self.waiting, *self.probes)})
        self.given = max((*self.waiting, *self.probes), default=base - 1)

    def number(self, new: dict[int, int]) -> None:
        self.probes = {new[number]: (new.get(of, of), body) for number, (of, body) in self.probes.items()}
        self.waiting = {new[number]: frame for number, frame in self.waiting.items()}

    @precondition(lambda self: self.given > 2**42)
    @rule(above=st.integers(0, 100))
    def go_back(self, above: int) -> None:
        unknown = [number for number, (of, _) in self.probes.items() if of > above and of not in self.waiting]
        self.drop_probes(unknown)
        assert self.spool.count_back(above) == len(self.waiting) + len(self.probes)
        numbers = sorted((*self.waiting, *self.probes))
        self.number({old: above + place for place, old in enumerate(numbers, start=1)})
        self.labels = {number: label for number, label in self.labels.items() if number <= above}
        self.given = above + len(self.waiting) + len(self.probes)

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.spool = Spool(Path(self.folder.name) / "spool.sqlite3", LIMITS)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        oldest = self.spool.oldest(99)
        highest = max((priority for _, _, priority in self.waiting.values()), default=None)
        first = [number for number in sorted(self.waiting) if self.waiting[number][2] == highest]
        assert [frame.sequence for frame in oldest] == first
        assert all((frame.body, frame.label, frame.priority) == self.waiting[frame.sequence] for frame in oldest)
        assert {each.sequence: (each.companion_of, each.body) for each in self.spool.companions(99)} == self.due()
        assert {label.sequence: label.label for label in self.spool.pending_labels(99)} == self.labels
        assert [letter.sequence for letter in self.spool.dead_letters()] == self.dead
        depth = self.spool.depth()
        assert (depth.frames, depth.frame_bytes) == (len(self.waiting), self.waiting_bytes())
        assert depth.probes == len(self.probes)
        assert all(number > of for number, (of, _) in self.probes.items())

    @invariant()
    def loses_nothing_silently(self) -> None:
        counters = self.spool.counters()
        assert {name: getattr(counters, name) for name in self.fates} == self.fates
        assert counters.captured == counters.encoded + counters.unreadable
        assert sum(self.spool.drops().values()) == counters.dropped
        settled = counters.acknowledged + counters.refused + counters.dropped
        assert counters.encoded == settled + len(self.waiting)
        assert counters.probes_encoded == counters.probes_sent + counters.probes_dropped + len(self.probes)

    def due(self) -> dict[int, tuple[int, bytes]]:
        return {number: probe for number, probe in self.probes.items() if probe[0] not in self.waiting}

    def probe_bytes(self) -> int:
        return sum(len(body) for _, body in self.probes.values())

    def waiting_bytes(self) -> int:
        return sum(len(body) for body, _, _ in self.waiting.values())

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
