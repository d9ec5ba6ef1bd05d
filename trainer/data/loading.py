"""What a training loop asks for its pictures: batches made ahead of their use, so that the net never waits for them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from trainer.data.dataset import Dataset, Rows, Split

AHEAD = 2  # batches: one in the making while one waits

_Item = TypeVar("_Item")
_Batch = TypeVar("_Batch")


def training_batches(
    dataset: Dataset, order: Iterable[Rows], prepare: Callable[[Split], _Batch], *, seed: int, epoch: int
) -> Iterator[_Batch]:
    """The training pictures of each batch as this epoch shows them.

    Args:
        order: each batch's rows of the training split, int64 (batch,): of all of it, or of one process's share.
        prepare: further work that is to be done ahead as well, in another thread, such as the codec's.
        seed, epoch: with a picture's row, all that its view depends on.

    Raises:
        DatasetError: a picture's file is missing or damaged.
    """
    return ahead(lambda rows: prepare(dataset.train.varied(rows, dataset.augmentation, seed=seed, epoch=epoch)), order)


def ahead(make: Callable[[_Item], _Batch], items: Iterable[_Item], depth: int = AHEAD) -> Generator[_Batch, None, None]:
    """What `make` gives for each item, in order, at most `depth` of them ahead of their use, in one other thread."""
    remaining = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        made = deque(thread.submit(make, item) for item in islice(remaining, depth))
        try:
            while made:
                ready = made.popleft().result()
                made.extend(thread.submit(make, item) for item in islice(remaining, 1))
                yield ready
        finally:
            for future in made:
                future.cancel()
