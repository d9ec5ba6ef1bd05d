"""What a server's /metrics say, and by how much they grew."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scrape:
    """One reading of /metrics: value by sample name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that carry these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, has), value in self.samples.items() if sample == name and wanted <= has)


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    """How much a counter grew."""
    return after.value(name, **labels) - before.value(name, **labels)
