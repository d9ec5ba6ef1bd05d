"""The zoo: bundles that were trained already, each in a folder of this package with its figures and what made it.

They are in the repository and not in the wheel, which sensors install as well.
"""

from trainer.zoo.entry import Entry, add, check, entries, read
from trainer.zoo.trial import Trial, classify

__all__ = ["Entry", "Trial", "add", "check", "classify", "entries", "read"]
