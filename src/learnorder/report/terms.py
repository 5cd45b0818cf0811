"""The glossary of the pages; ``docs/glossary.md`` has the same texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

TERMS = {
    "anneal": "To lower the learning rate (or the noise) late in training, at once or step by "
    "step. Learning rates are compared after the anneal, because a large one performs worse "
    "before it.",
    "arm": "One way of training, run on several seeds: for example the small LR, or the large LR "
    "+ anneal. Within a seed, arms share initial weights, data and data order.",
    "patch": "A small square planted in most training images. It identifies the class, but has to "
    "be memorised: each class has its own pattern, and no linear function separates the patterns. "
    "The rest of the image is its content.",
    "pattern alone": "An image with the patch on an empty background (patch only). Accuracy on "
    "such images shows whether the patch is memorised; at chance, it is not.",
    "conflict images": "Images with the content of one class and the patch of another. The "
    "prediction shows which of the two the network follows.",
    "reliance": "The share of conflict images predicted as the patch's class, minus the share of "
    "the same images without the patch predicted as that class. At 0 the network ignores the "
    "patch; at 100 % it follows only the patch. Of known groups, reliance on their attribute is "
    "the accuracy, within each class, where the attribute suggests the class, minus the accuracy "
    "where it suggests another.",
    "P": "The theory's first pattern: a noisy direction. A linear function fits it at once, but "
    "high accuracy requires many examples.",
    "Q": "The theory's second pattern: three fixed, nearly parallel vectors. One example of each "
    "is enough, but no linear function separates them, so the network has to become nonlinear to "
    "fit it.",
    "P-only": "Test examples that contain P but not Q. A network that learned Q first has a high "
    "error on these. Q-only is the reverse.",
    "margin": "y·f, the label times the network's output: positive if the prediction is correct, "
    "and larger if it is more confident.",
    "second difference": "g(z + ζ) + g(z − ζ) − 2g(z) of the network's output g on the three "
    "vectors of Q. It is 0 for a linear function and becomes nonzero as Q is learned.",
    "η·t": "The sum of the learning rates of all steps so far: a time scale on which arms with "
    "different learning rates can be compared.",
    "plateau": "The epochs at the initial learning rate, before the anneal.",
    "rung": "One round of a search. Every remaining learning rate is trained for the same number "
    "of epochs, and the best go on to the next, longer rung.",
    "batch sharpness": "The curvature of a batch's training loss along its own gradient, averaged "
    "over batches: how sharp the valley is that a step of SGD crosses.",
    "rank of the features": "The number of principal components that explain 99 % of the variance "
    "of the inputs of the last linear layer: how many different features it has to read.",
    "forgetting": "The score on an old task before fine-tuning, minus that after it: positive if "
    "the network has become worse at what it knew.",
}  # fmt: skip
"""Definitions by term."""

_OTHERS = {"anneal": "anneal(?:ed|s|ing)?", "pattern alone": "pattern alone|patch[- ]only",
           "arm": "arms?", "rung": "rungs?", "plateau": "plateaus?", "margin": "margins?",
           "conflict images": "conflict images?", "P-only": "[PQ]-only"}  # fmt: skip
"""Forms of a term, as regular expressions."""


def terms_in(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the terms that occur in texts, with their definitions.

    >>> [term for term, _ in terms_in(["Both arms were annealed.", "Patch"])]
    ['anneal', 'arm', 'patch']
    """
    text = "\n".join(texts)
    return [
        (term, meaning)
        for term, meaning in TERMS.items()
        if re.search(
            rf"(?<![\w-])(?:{_OTHERS.get(term, re.escape(term))})(?![\w-])",
            text,
            0 if term in ("P", "Q", "P-only") else re.IGNORECASE,
        )
    ]
