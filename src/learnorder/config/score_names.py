"""What the name of a score says: its words, and whether higher is better."""

from __future__ import annotations

import re

from learnorder.errors import ConfigError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HIGHER = _words(
    "acc accuracy top1 top5 f1 auc auroc auprc roc_auc map miou iou dice bleu rouge psnr ssim r2 "
    "precision recall"
)
_LOWER = _words("loss error err perplexity ppl nll mse rmse mae wer cer fid bpc bpb xent")
_NEGATED = _words("neg negative minus inv inverse reciprocal")
_FORMULA = re.compile(r"(?:^|[\s/.:(])(?:1|1\.0|100)?\s*[-\u2212]|^\s*1\s*/")
"""A minus sign before a name, 1 or 100 minus a name, or 1 over a name."""


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case.

    >>> words_of("eval/valAcc"), words_of("val_acc@1")
    (['eval', 'val', 'acc'], ['val', 'acc'])
    """
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = re.split(r"[^a-z0-9]+", spaced.lower())
    return [word for word in words if word and not word.isdigit()]


def direction_of(name: str) -> bool | None:
    """Return whether higher is better, by the last word of a score's name; None if it is not clear.

    Only names that have one meaning everywhere count: a wrong direction would recommend the worst
    learning rate.

    >>> direction_of("val_acc"), direction_of("eval/loss"), direction_of("value")
    (True, False, None)
    >>> direction_of("neg_mean_squared_error"), direction_of("1-val_acc")
    (None, None)
    """
    words = words_of(name)
    if not words or _is_negated(name):
        return None
    if words[-1] in _HIGHER or "_".join(words[-2:]) in _HIGHER:
        return True
    return False if words[-1] in _LOWER else None


def is_accuracy(name: str) -> bool:
    """Return whether a score is an accuracy, by the last word of its name."""
    words = words_of(name)
    return bool(words) and words[-1] in ("acc", "accuracy", "top1") and not _is_negated(name)


def _is_negated(name: str) -> bool:
    """Return whether a name is a formula that may turn the direction of its last word."""
    return bool(_NEGATED & set(words_of(name)) or _FORMULA.search(name))


def check_direction(section: str, name: str, higher_is_better: bool) -> None:
    """Refuse a direction that contradicts the name of a score.

    Args:
        section: The settings that have the score, e.g. script.
        name: Its name.
        higher_is_better: The direction.

    Raises:
        ConfigError: The name says the opposite.
    """
    by_name = direction_of(name)
    if by_name is not None and by_name != higher_is_better:
        side = "higher" if by_name else "lower"
        raise ConfigError(
            f"{section}.higher_is_better",
            higher_is_better,
            f"A {side} {name} is better, by its name. Give {section}.higher_is_better "
            f"{str(by_name).lower()}, or another {section}.score_name.",
        )
