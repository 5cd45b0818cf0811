"""When a model learns each example: three lines in any training loop."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.statistics import Estimate, proportion
from learnorder.toolkit.batches import Batch, Layout, coded_groups
from learnorder.toolkit.correct import Array
from learnorder.toolkit.dynamics import Dynamics, Values
from learnorder.toolkit.processes import gathered
from learnorder.toolkit.rank_agreement import Agreement, rank_agreement

if TYPE_CHECKING:
    import pandas as pd

_Number = TypeVar("_Number", np.int32, np.float64)
Epochs = NDArray[np.int32]
"""One value per example, [N], or per position, [N, P]."""

_NEVER = 0
_MOST_EPOCHS = 1_000_000
_COLUMNS = (
    "epochs_seen",
    "first_learned",
    "learned_for_good",
    "last_forgotten",
    "forgetting_events",
)
"""Columns of the state of each example, int32."""


class LearningOrder:
    """The order in which examples are learned, from their predictions.

    An example is *correct* at an update if its largest logit is that of its label and is finite.
    For each example it records (Toneva et al., *An Empirical Study of Example Forgetting during
    Deep Neural Network Learning*, ICLR 2019)

    - the first epoch in which it was correct,
    - its forgetting events: how often it changed from correct to wrong, and the last such epoch,
    - the epoch since which it has been correct without interruption,
    - how often its largest logit was nan or infinite.

    This takes 24 bytes per example, and 4 more for its group. With ``dynamics``, in 40 more, it
    also records, over all predictions of an example,

    - the mean probability of its label, *confidence*, the standard deviation of that probability,
      *variability*, and the share of correct predictions, *correctness* (Swayamdipta et al.,
      *Dataset Cartography*, EMNLP 2020),
    - the mean margin, the label's logit minus the largest other logit: the *area under the margin*,
      AUM (Pleiss et al., *Identifying Mislabeled Data using the Area Under the Margin Ranking*,
      NeurIPS 2020).

    Predictions that are not finite count as wrong, and are left out of the others. One logit z
    stands for the two logits (0, z). If labels are class probabilities, the label is the most
    probable class. A sequence has the geometric mean of its labelled tokens' probabilities and the
    mean of their margins; by the rule ``"last"``, those of its last labelled token.

    Epochs are counted from 1. Without ``epoch`` in :meth:`update`, the k-th prediction of an
    example counts as its epoch k. All predictions are recorded in order, even several of an example
    in one epoch or batch, unless ``once`` is set. An example that was never recorded has 0
    everywhere, nan for its dynamics, and is left out of :meth:`agreement`. In :meth:`curve`, an
    incomplete epoch counts the predictions made so far.

    For language models, with logits [B, T, C], follow either whole sequences, by a rule on their
    ``tokens``, or each of their ``positions``.

    Args:
        num_examples: N; indices are from 0 to N − 1.
        groups: Group of each example, [N]: strings or integers. None means one group. With
            ``positions`` also an array [N, P].
        tokens: A sequence is correct if ``"all"`` of its labelled tokens are, the ``"last"`` of
            them is, or at least this fraction in (0, 1].
        positions: P; each token is followed separately, and results are [N, P].
        ignore_index: Label of examples and tokens to ignore.
        dynamics: Whether to record confidence, variability, correctness and AUM.

    Raises:
        ConfigError: No examples, a wrong number of groups or other values, an unknown rule, or both
            ``tokens`` and ``positions``.

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
        dynamics: bool = False,
    ) -> None:
        self._layout = Layout.checked(num_examples, tokens, positions, ignore_index, dynamics)
        self.num_examples = num_examples
        coded = coded_groups(groups, num_examples, positions)
        self.group_names: list[object] = coded[0]
        self._groups = coded[1]
        rows = num_examples * (positions or 1)
        self._state = np.zeros((rows, len(_COLUMNS)), np.int32)
        self._nonfinite = np.zeros(rows, np.int32)
        self._counts = np.zeros((0, len(self.group_names), 2), np.int64)
        self._dynamics = Dynamics(rows) if dynamics else None

    @property
    def by_token(self) -> bool:
        """Whether logits and labels have a token axis, [B, T, C] and [B, T]."""
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
        """Record the predictions of a batch.

        Call it after each training step with the logits of the batch, or at each evaluation. If it
        raises an error, nothing is recorded.

        Args:
            indices: Indices of the examples, integers [B] or [B, 1].
            logits: Floats on any device, [B, C], or [B] or [B, 1] for two classes; [B, T, C] for
                tokens. Their gradients are not affected.
            labels: Classes, [B], [B, 1] or [B, T], of any integer type, bool, or floats with
                integer values; class probabilities [B, C], of which the largest is the class; or,
                with one logit, probabilities in [0, 1], class 1 above 0.5. Predictions with the
                label ``ignore_index`` are ignored.
            epoch: Epoch, from 1; None counts the predictions of each example.
            once: Ignore examples that were already recorded in this epoch. A distributed sampler
                repeats some to give each process the same number.
            gather: Record the batches of all processes of ``torch.distributed``, so that each has
                the whole order. All processes must make the call.

        Raises:
            ConfigError: ``once`` without ``epoch``.
            DataError: Sizes, shapes or types do not match, an index, label or epoch is out of
                range, or an epoch is earlier than one recorded; in any process.
        """
        self._store(lambda: self._layout.from_logits(indices, logits, labels), epoch, once, gather)

    def record(
        self,
        indices: Tensor | Array | Sequence[int],
        correct: Tensor | Array | Sequence[bool],
        *,
        epoch: int | None = None,
        once: bool = False,
        gather: bool = False,
    ) -> None:
        """Record which examples are correct by your own rule, e.g. with several labels each.

        Args:
            indices: As in :meth:`update`.
            correct: Bool, [B]; with ``positions`` [B, T].
            epoch: As in :meth:`update`.
            once: As in :meth:`update`.
            gather: As in :meth:`update`.

        Raises:
            ConfigError: ``once`` without ``epoch``.
            DataError: As in :meth:`update`, ``correct`` is not bool, or the order records
                ``dynamics``, which need logits.
        """
        self._store(lambda: self._layout.from_correct(indices, correct), epoch, once, gather)

    def add(self, batch: Batch, *, epoch: int) -> None:
        """Record predictions that have been compared with their labels already.

        Args:
            batch: The predictions.
            epoch: As in :meth:`update`.
        """
        self._store(lambda: batch, epoch, once=False, gather=False)

    def _store(
        self, make: Callable[[], Batch], epoch: int | None, once: bool, gather: bool
    ) -> None:
        """Record a batch, or the batches of all processes in order of rank."""
        if once and epoch is None:
            raise ConfigError("once", once, "Give the epoch too: update(..., epoch=1).")
        batches = gathered(make) if gather else [make()]
        if epoch is not None:
            epoch = self._checked_epoch(epoch, batches)
        for batch in batches:
            if once:
                batch = batch.chosen(self._state[batch.rows, 0] != epoch).first_of_each()
            if len(batch.rows):
                for part in batch.in_turn():
                    self._record(part, epoch)

    def _checked_epoch(self, epoch: int, batches: Sequence[Batch]) -> int:
        """Return the epoch as an int; no example of the batches may have a later one."""
        try:
            number = operator.index(epoch)
        except TypeError:
            raise DataError(f"Epochs are integers; got {epoch!r}.") from None
        if number < 1:
            raise DataError(f"Epochs are counted from 1; got {number}.")
        if number > _MOST_EPOCHS:
            raise DataError(
                f"There are at most {_MOST_EPOCHS:,} epochs; got {number:,}. Give the epoch, or "
                "the number of the evaluation, rather than the step."
            )
        last = max((int(self._state[b.rows, 0].max()) for b in batches if len(b.rows)), default=0)
        if number < last:
            raise DataError(
                f"Epoch {number} comes after epoch {last} of the same examples. Continue counting "
                "when a run continues, and use a new LearningOrder for a new run."
            )
        return number

    def _record(self, batch: Batch, epoch: int | None) -> None:
        """Record predictions of distinct rows."""
        index, correct, finite, _ = batch
        of_finite = batch
        if not finite.all():
            self._nonfinite[index[~finite]] += 1
            of_finite = batch.chosen(finite)
        if self._dynamics is not None:
            self._dynamics.update(of_finite.rows, of_finite.correct, of_finite.scores)
        state = self._state[index]
        seen, first, since, forgotten, events = state.T  # views of state
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
        """Add to the number of seen and correct predictions of each epoch and group."""
        last, groups = int(now.max()), len(self.group_names)
        if last > len(self._counts):
            new_rows = max(last, 2 * len(self._counts)) - len(self._counts)
            zeros = np.zeros((new_rows, groups, 2), np.int64)
            self._counts = np.concatenate([self._counts, zeros])
        group = 0 if self._groups is None else self._groups[index]
        cells, inverse = np.unique((now - 1) * np.int64(groups) + group, return_inverse=True)
        counts = self._counts.reshape(-1, 2)
        counts[cells, 0] += np.bincount(inverse)
        counts[cells, 1] += np.bincount(inverse[correct], minlength=len(cells))

    def _column(self, name: str) -> Epochs:
        return self._shaped(self._state[:, _COLUMNS.index(name)])

    def _shaped(self, values: NDArray[_Number]) -> NDArray[_Number]:
        """Return a copy, [N], or with positions [N, P]."""
        positions = self._layout.positions
        return values.copy() if positions is None else values.reshape(-1, positions).copy()

    @property
    def first_learned(self) -> Epochs:
        """The first epoch in which each example was correct, int32 [N]; 0 means never."""
        return self._column("first_learned")

    @property
    def learned_for_good(self) -> Epochs:
        """The epoch since which each example has been correct, int32 [N]; 0 if it is wrong now."""
        return self._column("learned_for_good")

    @property
    def last_forgotten(self) -> Epochs:
        """The last epoch in which each changed from correct to wrong, int32 [N]; 0 means never."""
        return self._column("last_forgotten")

    @property
    def forgetting_events(self) -> Epochs:
        """How often each example changed from correct to wrong, int32 [N]."""
        return self._column("forgetting_events")

    @property
    def epochs_seen(self) -> Epochs:
        """The last recorded epoch of each example, int32 [N]; 0 means none.

        Without ``epoch`` in :meth:`update`, the number of recorded predictions.
        """
        return self._column("epochs_seen")

    @property
    def nonfinite(self) -> Epochs:
        """How often the largest logit of each example was nan or infinite, int32 [N]."""
        return self._shaped(self._nonfinite)

    @property
    def confidence(self) -> Values:
        """The mean probability of each example's label, float64 [N]; nan if never recorded."""
        return self._shaped(self._require_dynamics().confidence)

    @property
    def variability(self) -> Values:
        """The standard deviation of that probability over predictions (divided by n), [N]."""
        return self._shaped(self._require_dynamics().variability)

    @property
    def correctness(self) -> Values:
        """The share of predictions in which each example was correct, float64 [N]."""
        return self._shaped(self._require_dynamics().correctness(self._nonfinite))

    @property
    def aum(self) -> Values:
        """The area under the margin: the mean of the label's logit − the largest other, [N].

        Infinite if a logit of −inf masks the label or all other classes.
        """
        return self._shaped(self._require_dynamics().aum)

    @property
    def has_dynamics(self) -> bool:
        """Whether confidence, variability, correctness and AUM are recorded."""
        return self._dynamics is not None

    def _require_dynamics(self) -> Dynamics:
        if self._dynamics is None:
            remedy = "Confidence, AUM and so on are recorded by LearningOrder(n, dynamics=True)."
            raise ConfigError("dynamics", False, remedy)
        return self._dynamics

    @property
    def epochs(self) -> int:
        """The last recorded epoch."""
        return int(self._state[:, 0].max())

    def curve(self, group: object = None) -> dict[int, Estimate]:
        """Return a group's accuracy by epoch, with the exact 95 % binomial interval.

        Args:
            group: Name of the group; None means all examples.

        Raises:
            KeyError: There is no such group.
        """
        if group is not None and group not in self.group_names:
            raise KeyError(f"no group {group!r}; there are {self.group_names}.")
        chosen = slice(None) if group is None else [self.group_names.index(group)]
        counts = self._counts[: self.epochs, chosen].sum(axis=1)
        return {
            epoch: proportion(int(correct), int(seen))
            for epoch, (seen, correct) in enumerate(counts.tolist(), start=1)
            if seen
        }

    def frame(self) -> pd.DataFrame:
        """Return one row per example or position: its group and the recorded columns."""
        import pandas as pd

        groups = np.zeros(len(self._state), int) if self._groups is None else self._groups
        columns = {name: self._state[:, i].copy() for i, name in enumerate(_COLUMNS)}
        dynamics = {} if self._dynamics is None else self._dynamics.columns(self._nonfinite)
        frame = pd.DataFrame(
            {
                "group": [self.group_names[code] for code in groups.tolist()],
                **columns,
                "nonfinite": self._nonfinite.copy(),
                **dynamics,
            }
        )
        if self._layout.positions is None:
            return frame.rename_axis("index")
        levels = [range(self.num_examples), range(self._layout.positions)]
        return frame.set_index(pd.MultiIndex.from_product(levels, names=["index", "position"]))

    def agreement(self, other: LearningOrder) -> Agreement:
        """Return how similar the order of two runs is.

        Kendall's τ_b of ``first_learned`` over the examples recorded in both runs, with never as
        the last rank; see :func:`~learnorder.toolkit.rank_agreement.rank_agreement`.

        Args:
            other: The order of another run on the same examples.

        Raises:
            DataError: The numbers of examples differ, or no example was recorded in both.
        """
        if len(other._state) != len(self._state):
            raise DataError(
                f"Orders of {len(self._state)} and of {len(other._state)} examples cannot be "
                "compared: both runs need the same examples with the same indices."
            )
        both = (self._state[:, 0] > 0) & (other._state[:, 0] > 0)
        if not both.any():
            raise DataError("No example was recorded in both orders: train both first.")
        one, two = (_ranks(order.first_learned.ravel()[both]) for order in (self, other))
        return rank_agreement(one, two)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""
        arrays = {"state": self._state, "counts": self._counts, "nonfinite": self._nonfinite}
        arrays["made_with"] = np.array(list(self._made_with().values()))
        if self._dynamics is not None:
            arrays["dynamics"] = self._dynamics.state
        return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}

    def _made_with(self) -> dict[str, int]:
        """Return checksums of the arguments that the state depends on, by their names."""
        codes = b"" if self._groups is None else self._groups.tobytes()
        layout = self._layout
        values = {
            "groups": (self.group_names, crc32(codes)),
            "tokens": layout.tokens,
            "positions": layout.positions,
            "ignore_index": layout.ignore_index,
        }
        return {name: crc32(repr(value).encode()) for name, value in values.items()}

    def _check_made_with(self, saved: Tensor) -> None:
        """Check the checksums of a state."""
        pairs = zip(self._made_with().items(), saved.tolist(), strict=True)
        if other := [name for (name, own), of_state in pairs if own != of_state]:
            raise DataError(
                f"The state is of an order with other {' and '.join(other)}. Create this one with "
                "the same to continue that run."
            )

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`state_dict`.

        Raises:
            DataError: The order was made with other arguments than that of the state, or it is not
                such a state.
        """
        if not {"state", "counts"} <= state.keys():
            raise DataError(f"Not the state of a learning order; it has {sorted(state)}.")
        rows, groups = len(state["state"]), state["counts"].shape[1]
        if (rows, groups) != (len(self._state), len(self.group_names)):
            raise DataError(
                f"The state has {rows} examples in {groups} groups, but this order has "
                f"{len(self._state)} in {len(self.group_names)}."
            )
        if ("dynamics" in state) != self.has_dynamics:
            has, records = ("no ", "them") if self.has_dynamics else ("", "none")
            raise DataError(
                f"The state has {has}training dynamics, but this order records {records}. Create "
                f"it with dynamics={not self.has_dynamics} to continue that run."
            )
        if "made_with" in state:  # absent from older states
            self._check_made_with(state["made_with"])
        if self._dynamics is not None:
            self._dynamics.state = state["dynamics"].cpu().numpy().copy()
        self._state, self._counts = (state[n].cpu().numpy().copy() for n in ("state", "counts"))
        nonfinite = state.get("nonfinite")  # absent from older states
        self._nonfinite = (
            np.zeros(rows, np.int32) if nonfinite is None else nonfinite.cpu().numpy().copy()
        )


def _ranks(first: Array) -> Array:
    """Return first epochs as ranks, with never as the last."""
    return np.where(first == _NEVER, first.max() + 1, first)
