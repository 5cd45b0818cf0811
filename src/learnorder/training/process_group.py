"""The device and the processes of a run, which divide every batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError

ItemT = TypeVar("ItemT")

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class ProcessGroup:
    """A device, and this process's place among the run's processes.

    Every process draws the order, patterns and noise of the whole batch and takes its own rows, so
    the batch does not depend on the number of processes. A batch with fewer examples than processes
    is not divided: each process takes all of it.

    Attributes:
        device: Device of this process.
        rank: Rank of this process, from 0.
        world_size: Number of processes.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1

    def shard(self, examples: int) -> slice:
        """Return this process's rows of a batch.

        >>> [ProcessGroup(torch.device("cpu"), rank, 2).shard(5) for rank in (0, 1)]
        [slice(0, 2, None), slice(2, 5, None)]
        """
        if examples < self.world_size:
            return slice(0, examples)
        return slice(
            examples * self.rank // self.world_size, examples * (self.rank + 1) // self.world_size
        )

    def parts(self, examples: int, at_once: int) -> list[slice]:
        """Return this process's rows of a batch, in parts of about equal size.

        All processes have equally many parts, together of at most ``at_once`` examples (if each
        process has that many).

        >>> group = ProcessGroup(torch.device("cpu"))
        >>> group.parts(9, at_once=4)
        [slice(0, 3, None), slice(3, 6, None), slice(6, 9, None)]
        """
        if self.world_size == 1 and examples <= at_once:
            return [slice(0, examples)]
        rows = self.shard(examples)
        size = rows.stop - rows.start
        fewest = examples if examples < self.world_size else examples // self.world_size
        count = min(-(-examples // at_once), fewest)
        ends = [rows.start + size * part // count for part in range(count + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def weight(self, examples: int, rows: slice) -> float:
        """Return the weight of the mean over some of this process's rows.

        The mean over processes of the sum over parts of weight × mean is the mean over the batch.
        """
        processes = 1 if examples < self.world_size else self.world_size
        return (rows.stop - rows.start) * processes / examples

    def counts(self, examples: int) -> bool:
        """Whether to count this process's rows of a batch, so that each example counts once."""
        return examples >= self.world_size or self.rank == 0

    @property
    def own_draws(self) -> tuple[int, ...]:
        """Extra parts of a seed's purpose for draws that each process makes for its own rows."""
        return (self.rank,) if self.world_size > 1 else ()

    def share(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Return this process's share of some items."""
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
        """Whether a flag is true in any process."""
        if self.world_size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.device)) > 0)

    def with_global_statistics(self, network: nn.Module) -> nn.Module:
        """Replace batch norm by torch.nn.SyncBatchNorm, whose statistics are of the whole batch.

        Raises:
            ConfigError: There is batch norm, and the processes run on the CPU, or torch cannot
                replace its class.
        """
        kinds = {type(m) for m in network.modules() if isinstance(m, _BATCH_NORMS)}
        if self.world_size == 1 or not kinds:
            return network
        if self.device.type == "cpu":
            raise ConfigError(
                "processes",
                self.world_size,
                "The network has batch norm, which torch can synchronise between processes only on "
                "accelerators (torch.nn.SyncBatchNorm). Use one process, or a network without "
                "batch norm.",
            )
        if subclasses := kinds - set(_BATCH_NORMS):
            raise ConfigError(
                "processes",
                self.world_size,
                f"The network's {subclasses.pop().__name__} is a subclass of batch norm, which "
                "torch.nn.SyncBatchNorm cannot replace. Use one process, or torch.nn.BatchNorm2d.",
            )
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
