"""Where a run is trained: on a device, by one process or by several that share every batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError

ItemT = TypeVar("ItemT")

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class ProcessGroup:
    """A device, and which of the run's processes this is.

    Every process draws the whole batch's order, patterns and noise, and takes its rows of them, so
    the batch is the same whatever the number of processes. A batch with fewer examples than there
    are processes is not shared out: each takes all of it.

    Attributes:
        device: Of this process.
        rank: Of this process, from 0.
        world_size: How many processes there are.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1

    def shard(self, examples: int) -> slice:
        """Return which of a batch's examples are this process's.

        >>> [ProcessGroup(torch.device("cpu"), rank, 2).shard(5) for rank in (0, 1)]
        [slice(0, 2, None), slice(2, 5, None)]
        """
        if examples < self.world_size:
            return slice(0, examples)
        return slice(
            examples * self.rank // self.world_size, examples * (self.rank + 1) // self.world_size
        )

    def weight(self, examples: int) -> float:
        """Return what this process's mean over its rows counts for.

        The mean over processes of weight × mean is the mean over the batch.
        """
        if examples < self.world_size:
            return 1.0
        rows = self.shard(examples)
        return (rows.stop - rows.start) * self.world_size / examples

    def counts(self, examples: int) -> bool:
        """Whether this process's rows of a batch are to be counted: each example counts once."""
        return examples >= self.world_size or self.rank == 0

    @property
    def own_draws(self) -> tuple[int, ...]:
        """What a seed is derived from besides, where each process draws for its own rows."""
        return (self.rank,) if self.world_size > 1 else ()

    def own(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Return which of some items of work are this process's."""
        return items[self.rank :: self.world_size]

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.world_size == 1:
            return values
        summed = values.clone()
        torch.distributed.all_reduce(summed)
        return summed

    def wait(self) -> None:
        """Wait for the other processes."""
        self.total(torch.zeros(1, device=self.device))

    def any(self, flag: bool) -> bool:
        """Whether a flag is up in any process."""
        if self.world_size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.device)) > 0)

    def with_global_statistics(self, network: nn.Module) -> nn.Module:
        """Let batch norm take its statistics over the batches of all processes.

        Raises:
            ConfigError: There is batch norm, and processes of the CPU share the batch, or it is of
                a kind that torch cannot replace.
        """
        kinds = {type(m) for m in network.modules() if isinstance(m, _BATCH_NORMS)}
        if self.world_size == 1 or not kinds:
            return network
        if self.device.type == "cpu":
            raise ConfigError(
                "processes",
                self.world_size,
                "The network has batch norm, whose statistics torch can take over several "
                "processes on accelerators only (torch.nn.SyncBatchNorm). Use one process, or a "
                "network without batch norm.",
            )
        if own := kinds - set(_BATCH_NORMS):
            raise ConfigError(
                "processes",
                self.world_size,
                f"The network's {own.pop().__name__} is a batch norm of its own kind, in whose "
                "place torch.nn.SyncBatchNorm would do something else. Use one process, or "
                "torch.nn.BatchNorm2d.",
            )
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
