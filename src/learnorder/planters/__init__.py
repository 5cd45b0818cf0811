"""Planters: memorisable patterns of a class, planted in the inputs of any task.

A planter puts a pattern that reveals the class into an example: a square of pixels, rare tokens, a
code in a table, a short waveform. ``learnorder probe`` plants it in most training examples, to see
whether a network learns the pattern or the content first (Li, Wei and Ma, NeurIPS 2019, section
6.2). Work on backdoors calls the same thing a *trigger*, replaced (BadNets, Gu et al. 2017) or
blended into the input (Chen et al. 2017). There, one target class has it; here, each class has its
own, on examples that do have this label.

Your own planter is a class with three methods and its strengths. This one adds a number to the
last feature and draws its sign at each access:

>>> import torch
>>> from learnorder.planters import check_planter
>>> class Offset:
...     strengths = (0.5, 1.0, 2.0)
...     def draw(self, num_classes, generator):
...         return torch.rand(num_classes, generator=generator)
...     def plant(self, inputs, patterns, label, strength, generator):
...         sign = 1 - 2 * torch.randint(2, (), generator=generator)
...         planted = inputs.clone()
...         planted[-1] += sign * strength * (1 + patterns[label])
...         return planted
...     def blank(self, inputs):
...         return torch.zeros_like(inputs)
>>> examples, labels = torch.ones(6, 4), [0, 1, 2, 0, 1, 2]
>>> check_planter(Offset(), examples, labels, 3, strength=1.0)
"""

from learnorder.planters.check import check_planter
from learnorder.planters.images import ImagePlanter
from learnorder.planters.protocol import FaintPlanter, Planter
from learnorder.planters.series import SeriesPlanter
from learnorder.planters.table import TablePlanter
from learnorder.planters.text import TextPlanter
from learnorder.planters.tokens import TokenPlanter

__all__ = [
    "FaintPlanter",
    "ImagePlanter",
    "Planter",
    "SeriesPlanter",
    "TablePlanter",
    "TextPlanter",
    "TokenPlanter",
    "check_planter",
]
