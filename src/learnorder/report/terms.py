"""Terms of the pages, each with its definition; ``docs/glossary.md`` has the same texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

TERMS = {
    "anneal": "To lower the learning rate (or the noise) late in training, at once or step by "
    "step. Learning rates are compared after it, because a large one looks worse before.",
    "arm": "One way of training, run on several seeds: for example the small LR, or the large LR + "
    "anneal. Within a seed, arms share initial weights, data and their order.",
    "patch": "A small square planted in most training images. It tells the class, but has to be "
    "memorised: each class has its own pattern, which no linear function can tell from the others. "
    "The rest of the image is its content.",
    "pattern alone": "An image that shows the patch on an empty ground (patch only). Accuracy on "
    "such images says whether the patch is memorised; chance means that it is not known.",
    "conflict images": "Images with the content of one class and the patch of another. The "
    "prediction shows which of the two the network follows.",
    "reliance": "The share of conflict images predicted as the patch's class, less the share of "
    "the same images without the patch predicted as that class. 0: the patch is ignored; 100 %: "
    "it alone decides.",
    "P": "The theory's first pattern: a noisy direction. A linear function fits it at once, but "
    "getting it right takes many examples.",
    "Q": "The theory's second pattern: three sharp forms, nearly parallel. Having seen each once "
    "is enough, but no linear function separates them, so the network must bend to fit it.",
    "P-only": "Test examples that carry P and not Q. Whoever learned Q first errs on these. Q-only "
    "is the reverse.",
    "margin": "y·f, the label times the network's output: positive where the prediction is right, "
    "and the larger the surer.",
    "second difference": "g(z + ζ) + g(z − ζ) − 2g(z) of the network's output g on Q's three "
    "forms. It is 0 for a linear function; it leaves 0 as soon as Q is learned.",
    "η·t": "The sum of the learning rates of all steps so far: a clock on which arms of different "
    "learning rates can be compared.",
    "plateau": "The epochs at the initial learning rate, before the anneal.",
    "rung": "One round of a search: every learning rate left is trained for the same number of "
    "epochs, and the better half goes on to the next rung, which is longer.",
}  # fmt: skip
"""By name, as a page says it."""

_OTHERS = {"anneal": "anneal(?:ed|s|ing)?", "pattern alone": "pattern alone|patch[- ]only",
           "arm": "arms?", "rung": "rungs?", "plateau": "plateaus?", "margin": "margins?",
           "conflict images": "conflict images?", "P-only": "[PQ]-only"}  # fmt: skip
"""Other forms of a term, as regular expressions."""


def terms_in(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the terms that occur in some texts, with their definitions.

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
