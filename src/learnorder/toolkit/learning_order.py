"""Which examples a model learns when: three lines in any training loop."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.statistics import Estimate, proportion
from learnorder.toolkit.batches import Batch, Layout, coded_groups
from learnorder.toolkit.correct import Array
from learnorder.toolkit.processes import gathered
from learnorder.toolkit.rank_agreement import Agreement, rank_agreement

if TYPE_CHECKING:
    import pandas as pd

Epochs = NDArray[np.int32]
"""Of each example, [N], or of each of its positions, [N, P]."""

_NEVER = 0
_COLUMNS = (
    "epochs_seen",
    "first_learned",
    "learned_for_good",
    "last_forgotten",
    "forgetting_events",
)
"""What is kept of an example, int32 each, beside how many of its predictions were not finite."""


class LearningOrder:
    """The order in which examples are learned, from their predictions.

    An example is *correct* at an update if its largest logit is that of its label and is finite.
    For each example it keeps (Toneva et al., *An Empirical Study of Example Forgetting during Deep
    Neural Network Learning*, ICLR 2019)

    - the first epoch in which it was correct,
    - its forgetting events: how often it went from correct to wrong, and the last epoch it did,
    - since when it has been correct without a break,
    - how often its largest logit was nan or infinite,

    which takes 24 bytes an example, and 4 more for its group.

    Epochs are counted from 1. A prediction is of the epoch that :meth:`update` is given; without
    one it is of its example's k-th if it is the k-th recorded of it. Each prediction is recorded,
    in the order given, also where an example comes twice in an epoch or a batch, unless ``once`` is
    given. An example that no update had has 0 everywhere and takes no part in :meth:`agreement`; in
    :meth:`curve` an epoch counts the predictions it has, so that part of an epoch is of fewer.

    Of language models, whose logits are [B, T, C], say what is to be learned: each sequence, by a
    rule on its ``tokens``, or each of its ``positions``.

    Args:
        num_examples: N; indices run from 0 to N − 1.
        groups: A group for each example, [N]: numbers from 0, or names. None is one group. With
            positions also an array [N, P].
        tokens: When a sequence is correct: ``"all"`` of its labelled tokens are, the ``"last"`` of
            them is, or at least this share in (0, 1].
        positions: P; every token is followed by itself, and what is kept is [N, P].
        ignore_index: Label of examples and tokens that are left out.

    Raises:
        ConfigError: No examples, groups of another number, a rule that is not known, or two.

    >>> order = LearningOrder(2, groups=["easy", "hard"])
    >>> labels = torch.tensor([0, 1])
    >>> for hard in ([1.0, 0.0], [0.0, 1.0]):
    ...     order.update(torch.tensor([0, 1]), torch.tensor([[1.0, 0.0], hard]), labels)
    >>> order.first_learned.tolist()
    [1, 2]
    """

    def __init__(
        self,
        num_examples: int,
        groups: Sequence[object] | Tensor | Array | None = None,
        *,
        tokens: str | float | None = None,
        positions: int | None = None,
        ignore_index: int = -100,
    ) -> None:
        self._layout = Layout.checked(num_examples, tokens, positions, ignore_index)
        self.num_examples = num_examples
        coded = coded_groups(groups, num_examples, positions)
        self.group_names: list[object] = coded[0]
        self._groups = coded[1]
        rows = num_examples * (positions or 1)
        self._state = np.zeros((rows, len(_COLUMNS)), np.int32)
        self._nonfinite = np.zeros(rows, np.int32)
        self._counts = np.zeros((0, len(self.group_names), 2), np.int64)

    @property
    def by_token(self) -> bool:
        """Whether logits and labels are of tokens, [B, T, C] and [B, T]."""
        return self._layout.by_token

    def update(
        self,
        indices: Tensor | Array | Sequence[int],
        logits: Tensor | Array,
        labels: Tensor | Array | Sequence[object],
        *,
        epoch: int | None = None,
        once: bool = False,
        gather: bool = False,
    ) -> None:
        """Record the predictions of some examples.

        Call it after each training step with the batch's logits, or at each evaluation. Nothing is
        recorded where it raises an error.

        Args:
            indices: Of the examples, whole numbers [B] or [B, 1].
            logits: Floats on any device, [B, C], or [B] or [B, 1] of two classes; [B, T, C] of
                tokens. Their gradients are not touched.
            labels: Classes, [B], [B, 1] or [B, T], of any whole-number type, bool, or floats that
                are whole; shares of classes [B, C], of which the largest is the class, or of one
                logit shares in [0, 1], class 1 above 0.5. What has the label ``ignore_index`` is
                left out.
            epoch: Counted from 1; None counts how often each example has been recorded.
            once: Leave out examples that were recorded in this epoch: a distributed sampler repeats
                some to give each process as many.
            gather: Record what all processes of ``torch.distributed`` give, so that each has the
                whole order. All must make the call.

        Raises:
            ConfigError: ``once`` without an epoch.
            DataError: Sizes, shapes or types that do not fit, an index beyond the examples, a label
                beyond the classes, or an epoch before one recorded; of any process.
        """
        self._store(lambda: self._layout.compared(indices, logits, labels), epoch, once, gather)

    def record(
        self,
        indices: Tensor | Array | Sequence[int],
        correct: Tensor | Array | Sequence[bool],
        *,
        epoch: int | None = None,
        once: bool = False,
        gather: bool = False,
    ) -> None:
        """Record which examples are correct by a rule of your own, such as of several labels.

        Args:
            indices: As in :meth:`update`.
            correct: Bool, [B]; with positions [B, T].
            epoch: As in :meth:`update`.
            once: As in :meth:`update`.
            gather: As in :meth:`update`.

        Raises:
            ConfigError: ``once`` without an epoch.
            DataError: As in :meth:`update`, or ``correct`` is not bool.
        """
        self._store(lambda: self._layout.judged(indices, correct), epoch, once, gather)

    def _store(
        self, make: Callable[[], Batch], epoch: int | None, once: bool, gather: bool
    ) -> None:
        """Record a batch, or those of all processes one after the other."""
        if once and epoch is None:
            raise ConfigError("once", once, "Say which epoch it is: update(..., epoch=1).")
        batches = gathered(make) if gather else [make()]
        if epoch is not None:
            epoch = self._checked_epoch(epoch, batches)
        for batch in batches:
            rows, correct, finite = self._first_of_epoch(batch, epoch) if once else batch
            if len(rows):
                if not finite.all():
                    np.add.at(self._nonfinite, rows[~finite], 1)
                self._record_in_turn(rows, correct, epoch)

    def _checked_epoch(self, epoch: int, batches: Sequence[Batch]) -> int:
        """Return an epoch that no example of these is past."""
        try:
            number = operator.index(epoch)
        except TypeError:
            raise DataError(f"Epochs are whole numbers; got {epoch!r}.") from None
        if number < 1:
            raise DataError(f"Epochs are counted from 1; got {number}.")
        last = max((int(self._state[b.rows, 0].max()) for b in batches if len(b.rows)), default=0)
        if number < last:
            raise DataError(
                f"Epoch {number} comes after epoch {last} of the same examples. Count on where a "
                "run continues, and take a new LearningOrder for a new run."
            )
        return number

    def _first_of_epoch(self, batch: Batch, epoch: int | None) -> Batch:
        """Return a batch without rows that the epoch has, and without those that come twice."""
        new = self._state[batch.rows, 0] != epoch
        first = np.zeros_like(new)
        first[np.unique(batch.rows, return_index=True)[1]] = True
        return Batch(*(values[new & first] for values in batch))

    def _record_in_turn(self, rows: Array, correct: Array, epoch: int | None) -> None:
        """Record rows, of which some may come more than once."""
        order = rows.argsort(kind="stable")
        ordered = rows[order]
        repeated = ordered[1:] == ordered[:-1]
        if not repeated.any():
            self._record(rows, correct, epoch)
            return
        turn = _turns(repeated)
        for k in range(turn.max() + 1):
            part = order[turn == k]
            self._record(rows[part], correct[part], epoch)

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

    def _column(self, name: str) -> Epochs:
        return self._shaped(self._state[:, _COLUMNS.index(name)])

    def _shaped(self, values: Epochs) -> Epochs:
        """Return a copy, [N], with positions [N, P]."""
        positions = self._layout.positions
        return values.copy() if positions is None else values.reshape(-1, positions).copy()

    @property
    def first_learned(self) -> Epochs:
        """The first epoch in which each example was correct, int32 [N]; 0 is never."""
        return self._column("first_learned")

    @property
    def learned_for_good(self) -> Epochs:
        """The epoch since which each example has been correct, int32 [N]; 0 is not now."""
        return self._column("learned_for_good")

    @property
    def last_forgotten(self) -> Epochs:
        """The last epoch in which each went from correct to wrong, int32 [N]; 0 is never."""
        return self._column("last_forgotten")

    @property
    def forgetting_events(self) -> Epochs:
        """How often each example went from correct to wrong, int32 [N]."""
        return self._column("forgetting_events")

    @property
    def epochs_seen(self) -> Epochs:
        """The last epoch recorded of each example, int32 [N]; 0 is none.

        Without ``epoch`` in :meth:`update` it is how often each was recorded.
        """
        return self._column("epochs_seen")

    @property
    def nonfinite(self) -> Epochs:
        """How often the largest logit of each example was nan or infinite, int32 [N]."""
        return self._shaped(self._nonfinite)

    @property
    def epochs(self) -> int:
        """The last epoch recorded."""
        return int(self._state[:, 0].max())

    def curve(self, group: object = None) -> dict[int, Estimate]:
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
        """Return a row for each example, or each position of one: group and what is kept of it."""
        import pandas as pd

        groups = np.zeros(len(self._state), int) if self._groups is None else self._groups
        columns = {name: self._state[:, place].copy() for place, name in enumerate(_COLUMNS)}
        frame = pd.DataFrame(
            {
                "group": [self.group_names[code] for code in groups.tolist()],
                **columns,
                "nonfinite": self._nonfinite.copy(),
            }
        )
        if self._layout.positions is None:
            return frame.rename_axis("index")
        places = [range(self.num_examples), range(self._layout.positions)]
        return frame.set_index(pd.MultiIndex.from_product(places, names=["index", "position"]))

    def agreement(self, other: LearningOrder) -> Agreement:
        """Return how far two runs learn the same examples in the same order.

        Kendall's τ_b of the first epochs, never counted as later than all, over the examples that
        were recorded in both; see :func:`~learnorder.toolkit.rank_agreement.rank_agreement`.

        Args:
            other: The order of another run on the same examples.

        Raises:
            DataError: Another number of examples, or none that both recorded.
        """
        if len(other._state) != len(self._state):
            raise DataError(
                f"Orders of {len(self._state)} and of {len(other._state)} examples cannot be "
                "compared: both runs need the same examples with the same numbers."
            )
        both = (self._state[:, 0] > 0) & (other._state[:, 0] > 0)
        if not both.any():
            raise DataError("No example was recorded in both orders: train both, then compare.")
        one, two = (_ranks(order.first_learned.ravel()[both]) for order in (self, other))
        return rank_agreement(one, two)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint needs to go on from here."""
        arrays = {"state": self._state, "counts": self._counts, "nonfinite": self._nonfinite}
        return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from :meth:`state_dict`.

        Raises:
            DataError: It is of another number of examples or groups, or no state of an order.
        """
        if not {"state", "counts"} <= state.keys():
            raise DataError(f"No state of a learning order; it has {sorted(state)}.")
        rows, groups = len(state["state"]), state["counts"].shape[1]
        if (rows, groups) != (len(self._state), len(self.group_names)):
            raise DataError(
                f"The state is of {rows} examples in {groups} groups, and this order of "
                f"{len(self._state)} in {len(self.group_names)}."
            )
        self._state, self._counts = (state[n].cpu().numpy().copy() for n in ("state", "counts"))
        counted = state.get("nonfinite")  # not in states of before it was counted
        self._nonfinite = (
            np.zeros(rows, np.int32) if counted is None else counted.cpu().numpy().copy()
        )


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
