"""Li, Wei and Ma (2019): the paper that ``learnorder reproduce`` tests without ``--paper``."""

from learnorder.reproduce.claims import CLAIMS
from learnorder.reproduce.papers.paper import Paper
from learnorder.reproduce.scales import EXPERIMENT_TITLES

PAPER = Paper(
    name="li2019",
    title="Towards Explaining the Regularization Effect of Initial Large Learning Rate in Training "
    "Neural Networks",
    authors=("Li", "Wei", "Ma"),
    venue="NeurIPS 2019",
    arxiv="1907.04595",
    about="Li, Wei and Ma (2019) claim that a small learning rate (LR) first memorises sharp "
    "patterns, such as a patch planted in the images, and then learns the rest from fewer "
    "examples. A large one, annealed later, learns in the opposite order and generalises better. "
    "This page tests each of their claims on several seeds.",
    differs="The scale paper has the published settings on images, and thin all of them but the "
    "network's width; demo and laptop have smaller networks, data or images. The theory has the "
    "paper's two-layer network.",
    claims=CLAIMS,
    titles=EXPERIMENT_TITLES,
)
