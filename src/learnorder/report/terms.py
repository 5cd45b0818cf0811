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
    "seed": "A number that determines all that is random in a run, such as the initial weights and "
    "the order of the data. The runs of an arm differ in it alone.",
    "95 % interval": "A range around the mean over seeds, made by a method that catches the mean "
    "over all possible seeds in 95 of 100 experiments. It says where the mean is; "
    "single runs are spread wider. A single difference is significant at the 5 % level if its "
    "interval does not contain 0; of many differences, some are so by chance.",
    "chance": "What guessing gives: an accuracy of 10 % if there are ten classes of equal size.",
    "patch": "A small square planted in most training images. It identifies the class, but has to "
    "be memorised: each class has its own pattern, and no linear function separates the patterns. "
    "The rest of the image is its content.",
    "clean images": "Images without the patch. Accuracy on them shows what the network has learned "
    "of the content.",
    "pattern alone": "An image with the patch on an empty background (patch only). Accuracy on "
    "such images shows whether the patch is memorised; at chance, it is not.",
    "conflict images": "Images with the content of one class and the patch of another. The "
    "prediction shows which of the two the network follows.",
    "reliance": "The share of conflict images predicted as the patch's class, minus the share of "
    "the same images without the patch predicted as that class. At 0 the network ignores the "
    "patch; at 100 % it follows only the patch. Of known groups, reliance on their attribute is "
    "the accuracy, within each class, where the attribute suggests the class, minus the accuracy "
    "where it suggests another.",
    "worst group": "The group of examples, such as those of one hospital and class, on which the "
    "network has the lowest score.",
    "L-S, S, S + noise": "The algorithms of the theory. L-S trains with a large learning rate, "
    "then a small one; S with the small one throughout; S + noise is S with noise before the "
    "activations, dropped later.",
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
           "seed": "seeds?", "95 % interval": "95 % (?:t )?(?:intervals?|bands?)",
           "clean images": "clean images?", "worst group": "worst[- ]groups?",
           "conflict images": "conflict images?", "L-S, S, S + noise": "L-S|S",
           "P-only": "[PQ]-only"}  # fmt: skip
"""Forms of a term, as regular expressions."""
_EXACT = ("L-S, S, S + noise", "P", "Q", "P-only")
"""Terms that are found in this case alone."""


def terms_in(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the terms that occur in texts, with their definitions.

    >>> [term for term, _ in terms_in(["Both arms were annealed.", "Patch"])]
    ['anneal', 'arm', 'patch']
    >>> [term for term, _ in terms_in(["n seeds [95 % t interval]", "s = 30", "L-S and S"])]
    ['seed', '95 % interval', 'L-S, S, S + noise']
    """
    text = "\n".join(texts)
    return [
        (term, meaning)
        for term, meaning in TERMS.items()
        if re.search(
            rf"(?<![\w-])(?:{_OTHERS.get(term, re.escape(term))})(?![\w-])",
            text,
            0 if term in _EXACT else re.IGNORECASE,
        )
    ]
