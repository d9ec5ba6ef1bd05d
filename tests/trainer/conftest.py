"""One torch thread: tests share two cores with others, and spinning threads cost more than they bring."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread() -> None:
    torch.set_num_threads(1)
