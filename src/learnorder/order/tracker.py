"""Which examples a model learns when: three lines in any training loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.order.agreement import Agreement, rank_agreement
from learnorder.statistics import Estimate, proportion

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
_NEVER = 0
_COLUMNS = (
    "epochs_seen",
    "first_learned",
    "learned_for_good",
    "last_forgotten",
    "forgetting_events",
)
"""What is kept of an example: int32 each."""


class LearningOrder:
    """The order in which examples are learned, from their predictions.

    An example is *correct* at an update if its largest logit is that of its label. Epochs are
    counted from 1: an example's epoch is how often it has been seen, unless :meth:`update` is told.
    For each example it keeps (Toneva et al., *An Empirical Study of Example Forgetting during Deep
    Neural Network Learning*, ICLR 2019)

    - the first epoch in which it was correct,
    - its forgetting events: how often it went from correct to wrong, and the last epoch it did,
    - since when it has been correct without a break,

    which takes 20 bytes an example, and 4 more for its group.

    Args:
        num_examples: N; indices run from 0 to N − 1.
        groups: A group for each example, [N]: numbers from 0, or names. None is one group.

    Raises:
        ConfigError: No examples, or groups of another number.

    >>> order = LearningOrder(2, groups=["easy", "hard"])
    >>> labels = torch.tensor([0, 1])
    >>> for hard in ([1.0, 0.0], [0.0, 1.0]):
    ...     order.update(torch.tensor([0, 1]), torch.tensor([[1.0, 0.0], hard]), labels)
    >>> order.first_learned.tolist()
    [1, 2]
    """

    def __init__(
        self, num_examples: int, groups: Sequence[Any] | Tensor | Array | None = None
    ) -> None:
        if num_examples < 1:
            raise ConfigError("num_examples", num_examples, "Give at least 1.")
        self.num_examples = num_examples
        self.group_names, self._groups = _coded(groups, num_examples)
        self._state = np.zeros((num_examples, len(_COLUMNS)), np.int32)
        self._counts = np.zeros((0, len(self.group_names), 2), np.int64)

    def update(
        self,
        indices: Tensor | Array | Sequence[int],
        logits: Tensor,
        labels: Tensor,
        *,
        epoch: int | None = None,
    ) -> None:
        """Record the predictions of some examples.

        Call it after each training step with the batch's logits, or at each evaluation.

        Args:
            indices: Of the examples, int [B].
            logits: [B, C], or [B] or [B, 1] of two classes; their gradients are not touched.
            labels: Classes, int [B].
            epoch: Counted from 1; None counts how often each example has been seen.

        Raises:
            DataError: Sizes that do not fit, an index beyond the examples, or a label beyond the
                classes.
        """
        index = np.atleast_1d(_numpy(indices))
        predictions = logits.shape[0] if logits.dim() else 0
        if not len(index) == predictions == len(labels):
            raise DataError(
                f"{len(index)} indices, {predictions} predictions and {len(labels)} labels: give "
                "one of each for every example of the batch."
            )
        correct = np.atleast_1d(_numpy(_correct(logits.detach(), labels.detach())))
        if epoch is not None and epoch < 1:
            raise DataError(f"Epochs are counted from 1; got {epoch}.")
        if not len(index):
            return
        order = index.argsort(kind="stable")
        ordered = index[order]
        if ordered[0] < 0 or ordered[-1] >= self.num_examples:
            raise DataError(
                f"Indices run from {ordered[0]} to {ordered[-1]}, but there are "
                f"{self.num_examples} examples, from 0 to {self.num_examples - 1}. Give each "
                "example's own number in the data set, not its place in the batch."
            )
        repeated = ordered[1:] == ordered[:-1]
        if not repeated.any():
            self._record(index, correct, epoch)
            return
        turn = _turns(repeated)
        for k in range(turn.max() + 1):
            part = order[turn == k]
            self._record(index[part], correct[part], epoch)

    def _record(self, index: Array, correct: Array, epoch: int | None) -> None:
        """Record examples of which none comes twice."""
        state = self._state[index]
        seen, first, since, forgotten, events = state.T  # views: what follows writes to state
        now = seen + 1 if epoch is None else np.full_like(seen, epoch)
        was = since != _NEVER
        lost = was & ~correct
        seen[:] = now
        np.copyto(first, now, where=correct & (first == _NEVER))
        np.copyto(since, now, where=correct & ~was)
        since[lost] = _NEVER
        np.copyto(forgotten, now, where=lost)
        events += lost
        self._state[index] = state
        self._count(index, correct, now)

    def _count(self, index: Array, correct: Array, now: Array) -> None:
        """Add to how many of each group were seen, and correct, in each epoch."""
        last, groups = int(now.max()), len(self.group_names)
        if last > len(self._counts):
            more = max(last, 2 * len(self._counts)) - len(self._counts)
            grown = np.zeros((more, groups, 2), np.int64)
            self._counts = np.concatenate([self._counts, grown])
        group = 0 if self._groups is None else self._groups[index]
        cells, place = np.unique((now - 1) * np.int64(groups) + group, return_inverse=True)
        counts = self._counts.reshape(-1, 2)
        counts[cells, 0] += np.bincount(place)
        counts[cells, 1] += np.bincount(place[correct], minlength=len(cells))

    def _column(self, name: str) -> Array:
        return self._state[:, _COLUMNS.index(name)].copy()

    @property
    def first_learned(self) -> Array:
        """The first epoch in which each example was correct, int32 [N]; 0 is never."""
        return self._column("first_learned")

    @property
    def learned_for_good(self) -> Array:
        """The epoch since which each example has been correct, int32 [N]; 0 is not now."""
        return self._column("learned_for_good")

    @property
    def last_forgotten(self) -> Array:
        """The last epoch in which each went from correct to wrong, int32 [N]; 0 is never."""
        return self._column("last_forgotten")

    @property
    def forgetting_events(self) -> Array:
        """How often each example went from correct to wrong, int32 [N]."""
        return self._column("forgetting_events")

    @property
    def epochs(self) -> int:
        """The last epoch recorded."""
        return int(self._column("epochs_seen").max())

    def curve(self, group: Any = None) -> dict[int, Estimate]:
        """Return a group's accuracy in each epoch, with the exact 95 % binomial interval.

        Args:
            group: Its name; None takes all examples.

        Raises:
            KeyError: There is no such group.
        """
        if group is not None and group not in self.group_names:
            raise KeyError(f"{group!r} is no group; there are {self.group_names}.")
        chosen = slice(None) if group is None else [self.group_names.index(group)]
        counts = self._counts[: self.epochs, chosen].sum(axis=1)
        return {
            epoch: proportion(int(correct), int(seen))
            for epoch, (seen, correct) in enumerate(counts.tolist(), start=1)
            if seen
        }

    def frame(self) -> pd.DataFrame:
        """Return a row for each example: group and what was recorded of it."""
        import pandas as pd

        groups = [0] * self.num_examples if self._groups is None else self._groups.tolist()
        return pd.DataFrame(
            {
                "group": [self.group_names[code] for code in groups],
                **{name: self._column(name) for name in _COLUMNS},
            }
        ).rename_axis("index")

    def agreement(self, other: LearningOrder) -> Agreement:
        """Return how far two runs learn the same examples in the same order.

        Kendall's τ_b of the first epochs, never counted as later than all; see
        :func:`~learnorder.order.agreement.rank_agreement`.

        Args:
            other: The order of another run on the same examples.

        Raises:
            DataError: Another number of examples.
        """
        if other.num_examples != self.num_examples:
            raise DataError(
                f"Orders of {self.num_examples} and of {other.num_examples} examples cannot be "
                "compared: both runs need the same examples with the same numbers."
            )
        return rank_agreement(_ranks(self.first_learned), _ranks(other.first_learned))

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs to go on from here."""
        arrays = {"state": self._state, "counts": self._counts}
        return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from :meth:`state_dict`.

        Raises:
            DataError: It is of another number of examples or groups.
        """
        examples, groups = len(state["state"]), state["counts"].shape[1]
        if (examples, groups) != (self.num_examples, len(self.group_names)):
            raise DataError(
                f"The state is of {examples} examples in {groups} groups, and this order of "
                f"{self.num_examples} in {len(self.group_names)}."
            )
        self._state, self._counts = (_numpy(state[n]).copy() for n in ("state", "counts"))


def _numpy(values: Tensor | Array | Sequence[int]) -> Array:
    return values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _ranks(first: Array) -> Array:
    """Return first epochs as ranks, in which never is the last."""
    return np.where(first == _NEVER, first.max() + 1, first)


def _turns(repeated: Array) -> Array:
    """Return for sorted examples the how-manieth time each comes, from 0.

    Args:
        repeated: Whether each but the first is the same as the one before it.
    """
    place = np.arange(len(repeated) + 1)
    begins = np.concatenate([[True], ~repeated])
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def _correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Return which predictions are right, bool [B].

    Raises:
        DataError: Logits of another shape, or labels outside their classes.
    """
    if logits.dim() > 2 or logits.dim() == 0:
        raise DataError(
            f"Logits have the shape {tuple(logits.shape)}; [B, C] is needed, or [B] of two classes."
        )
    if logits.dim() == 1 or logits.shape[1] == 1:
        classes, right = 2, (logits.flatten() > 0) == labels.bool().flatten()
    else:
        classes, right = logits.shape[1], logits.argmax(1) == labels
    if labels.numel():
        low, high = (int(end) for end in labels.aminmax())
        if low < 0 or high >= classes:
            raise DataError(
                f"Labels run from {low} to {high}, but the logits have {classes} classes, from 0 "
                f"to {classes - 1}."
            )
    return right


def _coded(
    groups: Sequence[Any] | Tensor | Array | None, num_examples: int
) -> tuple[list[Any], Array | None]:
    """Return the groups' names, and each example's group by its place among them."""
    if groups is None:
        return ["all"], None
    values = groups.tolist() if isinstance(groups, Tensor | np.ndarray) else list(groups)
    if len(values) != num_examples:
        raise ConfigError(
            "groups", f"{len(values)} of them", f"Give one for each of the {num_examples} examples."
        )
    names = sorted(set(values), key=lambda name: (str(type(name)), name))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[value] for value in values], np.int32)
