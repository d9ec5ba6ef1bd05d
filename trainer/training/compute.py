"""Where a training computes: its device and number format, and its share of the work where several processes train.

Nets, batches and tables live on the device; the real codec stays on the CPU. Several processes train one net: each
takes its share of every batch, then gradients are averaged by one explicit all-reduce. DistributedDataParallel would
overlap that with the backward pass, but it wraps one net and knows no `torch.autograd.grad`; here tables learn beside
the net, the price of a byte starts from such gradients, and checkpoints must not depend on the number of processes.

Batch normalisation uses each process's own share of a batch; `average_buffers` makes the running statistics agree.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self, TypeVar

import torch

# Before any group is made: as default arguments its functions keep the group there is when they are loaded, as the
# first optimiser does, and a group that is kept does not end in `leave`.
import torch.distributed.nn
from torch import Tensor, distributed, nn

from trainer.errors import LostProcessError, RecipeError

_Value = TypeVar("_Value")
DEADLINE = timedelta(minutes=15)  # for the slowest process to reach the same step


@dataclass(frozen=True)
class Compute:
    """One process's place in a training; as a context manager it is left at the end.

    Args:
        dtype: what convolutions and products compute in (autocast); float32 switches autocast off.
        rank, world: which of how many processes this is.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    rank: int = 0
    world: int = 1

    @classmethod
    def local(cls, device: str = "auto") -> Self:
        """This process alone.

        Args:
            device: `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:1`.

        Raises:
            RecipeError: there is no such device.
        """
        chosen = _device(device, index=0, processes=1)
        return cls(chosen, fast_dtype(chosen))

    @classmethod
    def from_torchrun(
        cls, environment: Mapping[str, str], device: str = "auto", deadline: timedelta = DEADLINE
    ) -> Self:
        """One of the processes that torchrun started; returns when all of them are there. NCCL on GPUs, else Gloo.

        Args:
            environment: with torchrun's RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
            device: as in `local`; with `auto` and `cuda` each process takes a GPU of its own.
            deadline: how long the others may keep this one waiting.

        Raises:
            RecipeError: there is no such device, or fewer GPUs than processes.
            LostProcessError: the others did not come in time.
        """
        rank, world, local_rank, local_world = (
            int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
        chosen = _device(device, local_rank, local_world)
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        meeting = f"tcp://{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}"
        with _others_needed():
            distributed.init_process_group(
                "nccl" if chosen.type == "cuda" else "gloo", meeting, deadline, world_size=world, rank=rank
            )
        return cls(chosen, fast_dtype(chosen), rank, world)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder and talks to the person."""
        return self.rank == 0

    def autocast(self) -> torch.autocast:
        """A context in which products compute in `dtype`."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)

    def check_batch(self, batch: int) -> None:
        """Refuse a batch that the processes cannot share equally: a mean of means would weigh pictures differently.

        Raises:
            RecipeError: the batch is no multiple of the processes.
        """
        if batch % self.world:
            raise RecipeError(f"optimiser.batch = {batch} cannot be shared equally by {self.world} processes")

    def share(self, rows: Tensor) -> Tensor:
        """This process's share of a batch (its first dimension)."""
        return rows.tensor_split(self.world)[self.rank]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes; parameters without gradients are left alone."""
        self._average([parameter.grad for parameter in parameters if parameter.grad is not None])

    def average_buffers(self, net: nn.Module) -> None:
        """Replace float buffers, such as batch normalisation's statistics, by their mean over the processes."""
        self._average([buffer for buffer in net.buffers() if buffer.is_floating_point()])

    def average(self, tensor: Tensor) -> Tensor:
        """The mean of a tensor over the processes, in place."""
        self._average([tensor])
        return tensor

    def mean(self, value: float) -> float:
        """The mean of a number over the processes; NaN where any process has NaN."""
        return self.sum(value) / self.world

    def sum(self, value: float) -> float:
        """The sum of a number over the processes."""
        if self.world == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        with _others_needed():
            distributed.all_reduce(total)
        return total.item()

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.world > 1:
            with _others_needed(), torch.no_grad():
                for tensor in tensors:
                    held = tensor.detach().to(self.device).contiguous()
                    distributed.broadcast(held, src=0)
                    tensor.copy_(held)

    def agreed(self, value: _Value) -> _Value:
        """Give all processes the first one's value, which consists of plain types."""
        if self.world == 1:
            return value
        held = [value]
        with _others_needed():
            distributed.broadcast_object_list(held, src=0)
        return held[0]

    def leave(self) -> None:
        """Leave the group of processes, at the end of the training; returns when the group's threads have ended.

        One of Gloo's threads that lets go of a tensor while Python shuts down aborts the process
        (https://github.com/pytorch/pytorch/issues/190489).
        """
        if self.world > 1:
            distributed.destroy_process_group()

    def _average(self, tensors: list[Tensor]) -> None:
        """Average tensors in one message: many small ones would each cost a round trip."""
        if self.world == 1 or not tensors:
            return
        message = torch.cat([tensor.detach().flatten().to(self.device, torch.float32) for tensor in tensors])
        with _others_needed():
            distributed.all_reduce(message)
        message /= self.world
        with torch.no_grad():
            for tensor, part in zip(
                tensors, message.split_with_sizes([tensor.numel() for tensor in tensors]), strict=True
            ):
                tensor.copy_(part.view_as(tensor))


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32."""
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        has_bfloat16 = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.bfloat16 if has_bfloat16 else torch.float32


def _device(name: str, index: int, processes: int) -> torch.device:
    """The device of the process `index` among `processes` on this machine."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name in {"auto", "cuda"}:
        if torch.cuda.device_count() < processes:
            raise RecipeError(f"{processes} processes, {torch.cuda.device_count()} GPUs: one each, or --device cpu")
        return torch.device("cuda", index)
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RecipeError(f"--device {name}: {str(error).splitlines()[0]}") from error
    if device.type != "cuda":
        raise RecipeError(f"--device {name}: auto, cpu, cuda or cuda:NUMBER")
    return device


@contextmanager
def _others_needed() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch.distributed's errors all are
        raise LostProcessError(str(error).splitlines()[0]) from error
