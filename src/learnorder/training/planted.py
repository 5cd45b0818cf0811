"""Data sets whose examples carry a planted pattern, at one access each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from learnorder.config.settings import PatchConfig, PatternConfig
from learnorder.errors import ConfigError, DataError
from learnorder.patterns import Draw, Group, draw_accesses, draw_eligible
from learnorder.planters import Planter, check_planter
from learnorder.planters.check import check_methods
from learnorder.seeding import derive_seed, generator, random_state_kept
from learnorder.training.items import spread
from learnorder.training.targets import class_targets
from learnorder.training.task_batches import split_batch, with_inputs

if TYPE_CHECKING:
    from learnorder.training.task import Task

_TRIED = 256
"""Examples on which a planter is tried before training."""
_SHOWN, _LONGEST = 64, 600
"""Numbers and characters of an example that are shown."""
_STRIDE = 0x9E3779B97F4A7C15
"""An odd number that spreads the seeds of consecutive examples."""


@dataclass(frozen=True)
class PatternSet:
    """One set of evaluation examples, fixed for a seed.

    Attributes:
        name: clean, mixed, patch_only, conflict or faint_only.
        data: Its examples.
        pattern_labels: Class of each example's pattern, int64 [M].
    """

    name: str
    data: PlantedData
    pattern_labels: Tensor


@dataclass(frozen=True)
class Accesses:
    """What each example contains at one access.

    Attributes:
        group: Values of :class:`~learnorder.patterns.Group`, int64 [N].
        pattern_labels: Class of each example's pattern, int64 [N].
        seed: Seed of the random numbers that the planter draws.
        faint_only: Whether all content is replaced by the faint pattern.
    """

    group: Tensor
    pattern_labels: Tensor
    seed: int
    faint_only: bool = False


class PlantedData(Dataset[Any]):
    """A data set with a pattern planted in its examples.

    Args:
        data: The data set.
        labels: Classes of its examples, int64 [N].
        planted: The patterns.
        accesses: What each example contains.

    Attributes:
        alone: Whether each example shows the pattern alone, bool [N].
    """

    def __init__(self, data: Any, labels: Tensor, planted: Patterns, accesses: Accesses) -> None:
        self.dataset, self._planted = data, planted
        self._labels, self._accesses = labels.tolist(), accesses
        self._group = accesses.group.tolist()
        self.alone = accesses.group == Group.PATCH_ONLY
        self._pattern_labels = accesses.pattern_labels.tolist()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self._planted_item(index, self.dataset[index])

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return the items of a list of indices."""
        if hasattr(self.dataset, "__getitems__"):
            items = self.dataset.__getitems__(indices)
        else:
            items = [self.dataset[index] for index in indices]
        return [self._planted_item(i, item) for i, item in zip(indices, items, strict=True)]

    def _planted_item(self, index: int, item: Any) -> Any:
        group, planted = self._group[index], self._planted
        if group == Group.CLEAN and not planted.config.faint:
            return item
        inputs, _ = split_batch(item)
        seed = (self._accesses.seed + index * _STRIDE) % (1 << 63)
        drawing = torch.Generator().manual_seed(seed)
        alone = group == Group.PATCH_ONLY or self._accesses.faint_only
        if alone:
            inputs = planted.planter.blank(inputs)
        if planted.config.faint and group != Group.PATCH_ONLY:
            inputs = planted.planter.faint(
                inputs, planted.patterns, self._labels[index], planted.config.faint, drawing
            )
        if group != Group.CLEAN:
            inputs = planted.planter.plant(
                inputs,
                planted.patterns,
                self._pattern_labels[index],
                planted.config.strength,
                drawing,
            )
        return with_inputs(item, inputs)


@dataclass(frozen=True)
class Patterns:
    """The patterns of a run, and where they are planted.

    Attributes:
        planter: The task's planter.
        config: Shares and strengths.
        patterns: What the planter drew for all classes.
        seed: The run's seed.
        num_classes: Number of classes.
        train: The training examples.
        validation: The validation examples.
        train_labels: Their classes, int64 [N].
        labels: Classes of the validation examples, int64 [M].
        eligible: Training examples that can carry the pattern, bool [N].
    """

    planter: Any
    config: PatternConfig
    patterns: Any
    seed: int
    num_classes: int
    train: Dataset[Any]
    validation: Dataset[Any]
    train_labels: Tensor
    labels: Tensor
    eligible: Tensor

    @staticmethod
    def draw(
        task: Task,
        config: PatternConfig,
        seed: int,
        train: Dataset[Any],
        validation: Dataset[Any],
    ) -> Patterns:
        """Draw the patterns of a seed, which all arms of it share.

        Raises:
            ConfigError: There is no planter, or it is unfit.
            DataError: There are fewer than two classes.
        """
        planter = planter_of(task)
        check_methods(planter, faint=config.faint > 0)
        labels = [
            class_targets(data, f"task.{name}", "A pattern of a class needs them.")
            for name, data in (("train", train), ("validation", validation))
        ]
        num_classes = 1 + max(int(part.max()) for part in labels)
        if num_classes < 2:
            raise DataError("task.train has a single class: a pattern needs two or more.")
        drawn = planter.draw(num_classes, generator(seed, "pattern"))
        eligible = draw_eligible(_shares(config), len(labels[0]), generator(seed, "eligible"))
        return Patterns(
            planter=planter,
            config=config,
            patterns=drawn,
            seed=seed,
            num_classes=num_classes,
            train=train,
            validation=validation,
            train_labels=labels[0],
            labels=labels[1],
            eligible=eligible,
        )

    def check(self, collate: Callable[[list[Any]], Any]) -> None:
        """Try the planter, thoroughly on some training examples, and once on each example.

        See :func:`~learnorder.planters.check_planter`.

        Args:
            collate: Makes batches. The pattern must be visible in them too: a tokenizer truncates.

        Raises:
            ConfigError: The planter is unfit.
        """
        chosen = spread(len(self.train_labels), _TRIED)
        with random_state_kept():
            items = [self.train[index] for index in chosen]
        inputs = [split_batch(item)[0] for item in items]

        def encode(planted: Any) -> Any:
            return split_batch(collate([with_inputs(items[0], planted)]))[0]

        check_planter(
            self.planter,
            inputs,
            self.train_labels[chosen].tolist(),
            self.num_classes,
            self.config.strength,
            faint_strength=self.config.faint or None,
            encode=None if collate is default_collate else encode,
        )
        both = torch.full_like(self.train_labels, int(Group.BOTH))
        planted = Accesses(both, self.train_labels, seed=0)
        sets = [PlantedData(self.train, self.train_labels, self, planted)]
        sets += [chosen.data for chosen in self.evaluation_sets()]
        with random_state_kept():
            for data in sets:
                for index in range(len(data)):
                    data[index]

    def training(self, epoch: int) -> PlantedData:
        """Return the training examples as accessed in an epoch.

        With e the eligible share and p the pattern-only share, an access shows the content alone,
        the pattern alone and both with probabilities 1 − e, e·p and e·(1 − p).
        """
        draw = self._accesses(self.eligible, "accesses", epoch)
        seed = derive_seed(self.seed, "pattern of items", epoch)
        accesses = Accesses(draw.group, self.train_labels, seed)
        return PlantedData(self.train, self.train_labels, self, accesses)

    def evaluation_sets(self) -> list[PatternSet]:
        """Return the fixed sets over the validation examples.

        - clean: without the pattern, but with the faint one if there is one.
        - mixed: the training rule applied once.
        - patch_only: the pattern of the example's class without content.
        - conflict: the content of class i with the pattern of a class j ≠ i, drawn uniformly.
        - faint_only: the faint pattern of the example's class without content.
        """
        count, labels = len(self.labels), self.labels
        everywhere = torch.full((count,), int(Group.CLEAN))
        sets = [self._set("clean", everywhere, labels)]
        if self.config.faint:
            sets.append(self._set("faint_only", everywhere, labels))
        if not self.config.eligible_share:
            return sets
        rng = generator(self.seed, "evaluation", "eligible")
        eligible = draw_eligible(_shares(self.config), count, rng)
        mixed = self._accesses(eligible, "evaluation", "mixed")
        rng = generator(self.seed, "evaluation", "conflict")
        shift = torch.randint(1, self.num_classes, (count,), generator=rng)
        alone, both = (torch.full((count,), int(g)) for g in (Group.PATCH_ONLY, Group.BOTH))
        return [
            *sets,
            self._set("mixed", mixed.group, labels),
            self._set("patch_only", alone, labels),
            self._set("conflict", both, (labels + shift) % self.num_classes),
        ]

    def example(self) -> dict[str, str]:
        """Return the inputs of one validation example in each form, as text."""
        sets = {each.name: each for each in self.evaluation_sets()}
        names = [n for n in ("faint_only", "patch_only", "conflict") if n in sets]
        names += ["clean"] if self.config.faint else []
        with random_state_kept():
            items = {"original": self.validation[0], **{n: sets[n].data[0] for n in names}}
        return {name: inputs_text(split_batch(item)[0]) for name, item in items.items()}

    def _accesses(self, eligible: Tensor, *purpose: str | int) -> Draw:
        return draw_accesses(_shares(self.config), eligible, generator(self.seed, *purpose))

    def _set(self, name: str, group: Tensor, pattern_labels: Tensor) -> PatternSet:
        seed = derive_seed(self.seed, "evaluation", "pattern of items", name)
        accesses = Accesses(group, pattern_labels, seed, faint_only=name == "faint_only")
        data = PlantedData(self.validation, self.labels, self, accesses)
        return PatternSet(name, data, pattern_labels)


def inputs_text(inputs: Any) -> str:
    """Return inputs as a short text: numbers with three digits, at most 600 characters.

    >>> inputs_text(torch.tensor([0.123456, 2.0])), inputs_text({"text": "so good"})
    ('0.123 2', 'text: so good')
    """
    if isinstance(inputs, Mapping):
        return "; ".join(f"{name}: {inputs_text(value)}" for name, value in inputs.items())
    if isinstance(inputs, str):
        return shortened(inputs)
    if isinstance(inputs, tuple):
        return "; ".join(map(inputs_text, inputs))
    values = torch.as_tensor(inputs).flatten()[:_SHOWN].tolist()
    return shortened(" ".join(f"{value:.3g}" for value in values))


def shortened(text: str) -> str:
    """Return at most 600 characters of a text."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def planter_of(task: Task) -> Planter:
    """Return a task's planter.

    Raises:
        ConfigError: It has none, or that has no increasing strengths.
    """
    if task.planter is None:
        raise ConfigError(
            "task.planter",
            None,
            "Patterns are planted by the task's planter. Give Task(..., planter=...), e.g. one of "
            "learnorder.planters.",
        )
    check_methods(task.planter)
    return task.planter


def _shares(config: PatternConfig) -> PatchConfig:
    """Return the shares as those of a patch in images."""
    return PatchConfig(
        eligible_share=config.eligible_share, patch_only_share=config.pattern_only_share
    )
