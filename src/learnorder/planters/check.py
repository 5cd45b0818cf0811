"""Trying a planter on examples before anything is trained."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from learnorder.errors import ConfigError, DataError, refusing
from learnorder.planters.compare import content_key, form_change, hidden_changes, nonfinite
from learnorder.planters.drawing import check_num_classes, check_strengths
from learnorder.planters.parts import FIELD, unfit
from learnorder.planters.protocol import Planter
from learnorder.seeding import random_state_kept, seed_everything

MOST_OCCURRENCES = 0.01
"""Largest share of examples that may have a rare token or word before it is planted."""

_OVERLAP_CLASSES, _OVERLAP_DRAWS = 10, 8
"""Classes, and draws of each, among which no two classes may have the same pattern."""


def check_planter(
    planter: Planter,
    examples: Iterable[Any],
    labels: Iterable[int],
    num_classes: int,
    strength: float,
    generator: torch.Generator | None = None,
    *,
    faint_strength: float | None = None,
    encode: Callable[[Any], Any] | None = None,
    most_occurrences: float = MOST_OCCURRENCES,
) -> None:
    """Try a planter on examples, and refuse what would make a run meaningless.

    Each example gets the pattern of its own class and that of another, and so does its blank. The
    planter must keep the form of the inputs (types, dtypes, shapes, devices; lists and texts may
    change in length), must not modify them, must change every example, and plant different things
    for different classes. It must draw from the generator that it gets and from nothing else.

    Args:
        planter: The planter.
        examples: Inputs of some examples, without their labels.
        labels: Their classes.
        num_classes: Number of classes.
        strength: The strength to try; the largest is the hardest to fit.
        generator: Draws patterns, signs and places; None takes one with seed 0. Its state is left
            as it was.
        faint_strength: Strength of the faint pattern to try; None does not try it.
        encode: What the model gets of inputs, such as a tokenizer. Planted examples must differ
            from the others, and between classes, after it: a truncated pattern does not.
        most_occurrences: Largest share of examples that may have a rare token or word already;
            for planters with a method ``occurs(inputs)``. Give some hundred examples.

    Raises:
        ConfigError: The planter is unfit; the field is "task.planter" or a setting of the planter.
        DataError: There are no examples, or labels do not fit.
    """
    inputs, classes = list(examples), [int(label) for label in labels]
    check_methods(planter, faint=faint_strength is not None)
    check_num_classes(num_classes)
    _check_examples(inputs, classes, num_classes)
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    trial = _Trial(planter, generator, encode)
    _check_occurrences(trial, inputs, most_occurrences)
    state = generator.get_state()
    try:
        with random_state_kept():
            patterns = _draw(trial, num_classes, inputs[0], strength)
            blanks = _blanks(trial, inputs)
            for what, values in (("", inputs), ("the blank of ", blanks)):
                _check_plant(trial, "plant", values, classes, patterns, num_classes, strength, what)
            _check_overlap(trial, inputs[0], patterns, num_classes, strength)
            if faint_strength is not None:
                _check_plant(trial, "faint", inputs, classes, patterns, num_classes, faint_strength)
    finally:
        generator.set_state(state)


def check_methods(planter: Any, *, faint: bool = False) -> None:
    """Check that a planter has its methods, and increasing strengths.

    Args:
        planter: The planter.
        faint: Whether it needs the optional method ``faint``.

    Raises:
        ConfigError: A method is missing, or the strengths are not increasing numbers.
    """
    if isinstance(planter, type):
        raise ConfigError(FIELD, planter.__name__, f"Give an object: {planter.__name__}(…).")
    names = ("draw", "plant", "blank", *(("faint",) if faint else ()))
    missing = [f"{name}()" for name in names if not callable(getattr(planter, name, None))]
    if not hasattr(planter, "strengths"):
        missing.append("strengths")
    if missing:
        remedy = f"It has no {', '.join(missing)}. See learnorder.planters.Planter."
        raise unfit(type(planter).__name__, remedy)
    if callable(strengths := planter.strengths):
        raise unfit(
            type(planter).__name__,
            "Its strengths are a method: make them a property or an attribute.",
        )
    with refusing(
        lambda reason: unfit(type(planter).__name__, f"Its strengths are no numbers: {reason}.")
    ):
        check_strengths(strengths)


class _Trial:
    """Calls of a planter, with a generator that can return to its first state."""

    def __init__(
        self, planter: Any, generator: torch.Generator, encode: Callable[[Any], Any] | None
    ) -> None:
        self.planter, self.generator, self._encode = planter, generator, encode
        self._state = generator.get_state()

    def reset(self) -> None:
        """Return the generator to its first state."""
        self.generator.set_state(self._state)

    def call(self, method: str, name: str, *arguments: Any) -> Any:
        """Return what a method returns.

        Args:
            method: Name of the method.
            name: The example, for errors.
            arguments: Arguments of the method.

        Raises:
            ConfigError: It fails.
        """
        with refusing(lambda reason: self.unfit(f"{method} failed on {name}: {reason}.")):
            return getattr(self.planter, method)(*arguments)

    def twice(self, method: str, name: str, *arguments: Any) -> list[Any]:
        """Return what two calls of a method return, with different global generators.

        Raises:
            ConfigError: It fails, or draws from a global generator.
        """
        results = []
        for seed in (0, 1):
            seed_everything(seed, "check_planter")
            before = _global_states()
            self.reset()
            results.append(self.call(method, name, *arguments))
            moved = [which for which, state in _global_states().items() if state != before[which]]
            if moved:
                raise self.unfit(
                    f"{method} draws from the global generator of {' and '.join(moved)}. Draw from "
                    "the generator that it gets."
                )
        return results

    def once(self, method: str, name: str, example: Any, *arguments: Any) -> Any:
        """Return a planted copy or a blank of an example.

        Raises:
            ConfigError: The method modifies the example, changes its form, makes NaN or infinite
                values, or returns something else when it is called again.
        """
        before = content_key(example)
        made, again = self.twice(method, name, example, *arguments)
        if content_key(example) != before:
            raise self.unfit(f"{method} modifies its inputs ({name}). Work on a copy.")
        if change := form_change(example, made):
            raise self.unfit(f"{method} changes the form of {name}: {change}.")
        if nonfinite(made) > nonfinite(example):
            raise self.unfit(f"{method} makes NaN or infinite values in {name}.")
        if content_key(made) != content_key(again):
            raise self.not_repeatable(method)
        return made

    def encoded(self, inputs: Any, name: str) -> Any:
        """Return a hashable value of what the model gets; None without a function for it."""
        if self._encode is None:
            return None
        seed_everything(0, "check_planter")
        with refusing(lambda reason: self.unfit(f"encode failed on {name}: {reason}.")):
            return content_key(self._encode(inputs))

    def unfit(self, remedy: str) -> ConfigError:
        """Return the error that names the planter."""
        return unfit(type(self.planter).__name__, remedy)

    def not_repeatable(self, method: str) -> ConfigError:
        """Return the error of a method that depends on something besides its arguments."""
        return self.unfit(
            f"{method} gives different results for the same arguments and the same state of the "
            "generator. Draw from the generator that it gets, and keep no state."
        )


def _draw(trial: _Trial, num_classes: int, first: Any, strength: float) -> Any:
    """Return the patterns of all classes; refuse them if they depend on a global generator."""
    drawn = trial.twice("draw", f"{num_classes} classes", num_classes, trial.generator)
    planted = [
        content_key(trial.once("plant", "example 0", first, patterns, 0, strength, trial.generator))
        for patterns in drawn
    ]
    if planted[0] != planted[1]:
        raise trial.not_repeatable("draw")
    return drawn[0]


def _blanks(trial: _Trial, inputs: list[Any]) -> list[Any]:
    """Return the blank of each example; refuse blanks that have the content."""
    blanks = [trial.once("blank", f"example {n}", example) for n, example in enumerate(inputs)]
    pairs = zip(inputs, blanks, strict=True)
    if all(content_key(example) == content_key(blank) for example, blank in pairs):
        raise trial.unfit("blank returns every example as it is. Return inputs without content.")
    return blanks


def _check_plant(
    trial: _Trial,
    method: str,
    inputs: list[Any],
    labels: list[int],
    patterns: Any,
    num_classes: int,
    strength: float,
    what: str = "",
) -> None:
    """Check a method on examples: all classes on the first, two on each of the others."""
    for n, (example, label) in enumerate(zip(inputs, labels, strict=True)):
        name, pair = f"{what}example {n}", (label, (label + 1) % num_classes)
        clean = trial.encoded(example, name)
        seen: dict[Any, int] = {}
        for c in pair if n else (*pair, *(c for c in range(num_classes) if c not in pair)):
            arguments = (example, patterns, c, strength, trial.generator)
            if c in pair:
                made = trial.once(method, name, *arguments)
                _check_changed(trial, method, name, example, made, strength)
            else:
                trial.reset()
                made = trial.call(method, name, *arguments)
            encoded = trial.encoded(made, name)
            if clean is not None and encoded == clean:
                raise trial.unfit(
                    f"After encode, {name} has no pattern: it is truncated, or of unknown tokens."
                )
            same = seen.setdefault(encoded or content_key(made), c)
            if same != c:
                after = " after encode" if clean is not None else ""
                raise trial.unfit(
                    f"{method} makes the same of {name} for classes {same} and {c}{after}, at "
                    f"strength {strength:g}. Each class needs a pattern of its own."
                )


def _check_overlap(
    trial: _Trial, example: Any, patterns: Any, num_classes: int, strength: float
) -> None:
    """Refuse patterns that are those of another class when other numbers are drawn."""
    trial.reset()
    seen: dict[Any, int] = {}
    for c in range(min(num_classes, _OVERLAP_CLASSES)):
        for _ in range(_OVERLAP_DRAWS):
            made = trial.call("plant", "example 0", example, patterns, c, strength, trial.generator)
            if (same := seen.setdefault(content_key(made), c)) != c:
                raise trial.unfit(
                    f"plant makes of example 0 for class {c} what it makes for class {same} with "
                    "other draws, such as another sign: the pattern does not reveal the class."
                )


def _check_changed(
    trial: _Trial, method: str, name: str, example: Any, made: Any, strength: float
) -> None:
    """Refuse a planted copy that is like the example, or where the model does not see it."""
    if content_key(made) == content_key(example):
        raise trial.unfit(f"{method} leaves {name} unchanged at strength {strength:g}.")
    if (part := hidden_changes(example, made)) is not None:
        raise trial.unfit(
            f"{method} changes {part!r} of {name} where attention_mask is 0: the model does not "
            "see it. Plant where the mask is 1; TokenPlanter has padding=… and filler=…."
        )


def _check_examples(inputs: list[Any], labels: list[int], num_classes: int) -> None:
    if not inputs or len(inputs) != len(labels):
        raise DataError(
            f"{FIELD}: there are {len(inputs)} examples and {len(labels)} labels. Give at least "
            "one example, and a label for each."
        )
    if outside := [label for label in labels if not 0 <= label < num_classes]:
        raise DataError(f"{FIELD}: label {outside[0]} is not one of 0 to {num_classes - 1}.")


def _check_occurrences(trial: _Trial, inputs: list[Any], most: float) -> None:
    """Refuse rare tokens or words that are not rare: planters with them have ``occurs``."""
    occurs = getattr(trial.planter, "occurs", None)
    if occurs is None:
        return
    found = sum(map(bool, map(occurs, inputs)))
    if found > most * len(inputs):
        raise trial.unfit(
            f"{found} of {len(inputs)} examples ({found / len(inputs):.1%}) have one of its rare "
            f"tokens or words before it is planted; at most {most:.1%} may. Give rarer ones."
        )


def _global_states() -> dict[str, Any]:
    """Return the states of the global generators."""
    _, numbers, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.random.get_rng_state().numpy().tobytes(),
        "NumPy": (np.asarray(numbers).tobytes(), *rest),
        "Python": random.getstate(),
    }
