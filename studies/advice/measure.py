"""Judge the advice on learning rates: against every learning rate at full length, on other seeds.

``python -m studies.advice.measure`` runs the searches below, with CIFAR-10 in ``data/cifar10``, and
writes their results to ``results/advice``. Runs go to ``runs/advise``. The same command continues
interrupted searches.

A *grid* trains every learning rate at full length on separate seeds. The *regret* of a search is
the accuracy of the grid's best learning rate minus that of the recommended one, both from the grid,
paired by seed. The best is selected and evaluated on the same runs, so regret is overestimated.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from typing import Any

import learnorder
from learnorder.advise.page import to_json
from learnorder.advise.result import Advice
from learnorder.advise.settings import LRSearch
from learnorder.config.settings import ModelConfig
from learnorder.config.training import TrainingConfig
from learnorder.runs.files import atomic_write
from studies.common import RESULTS, ROOT, names_chosen
from studies.probe.measure import probes

_SGD = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_ADAMW = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)


@dataclass(frozen=True)
class Judged:
    """A search to evaluate.

    Attributes:
        search: Its settings.
        searches: Number of repetitions, on separate seeds.
        seeds: Number of seeds of the grid.
        rates: Learning rates of the grid.
    """

    search: LRSearch
    searches: int
    seeds: int
    rates: tuple[float, ...] = _SGD

    def repeated(self) -> list[LRSearch]:
        """Return the repetitions of the search."""
        first = self.search.first_seed
        return [
            replace(self.search, first_seed=first + 100 * number) for number in range(self.searches)
        ]

    def grid(self) -> LRSearch:
        """Return the grid as a search that eliminates nothing and tries nothing else."""
        return replace(
            self.search, learning_rates=self.rates, rungs=1, seeds=self.seeds, first_seed=10_000,
            shorter_plateaus=(), noise=0.0, range_test=False,
        )  # fmt: skip


_WITHOUT_RACE: dict[str, Any] = {
    "race": False, "rungs": 3, "keep": 0.5, "screening_seeds": 2,
}  # fmt: skip
"""The search that the records are of: the default before arms raced."""


def searches() -> dict[str, Judged]:
    """Return the searches to evaluate, by name."""
    digits = LRSearch(**_WITHOUT_RACE)
    perceptron = replace(
        digits,
        model=ModelConfig("MLP", {"widths": [256, 256]}),
        training=replace(digits.training, optimizer="AdamW", weight_decay=0.01),
    )
    cifar = LRSearch(
        data=replace(
            probes()["cifar_wrn"].data, subset_seed=1
        ),  # not the images used to choose the rule
        model=ModelConfig("WideResNet", {"depth": 16, "widen_factor": 1}),
        training=TrainingConfig(epochs=15, batch_size=64),
        seeds=3,
        **_WITHOUT_RACE,
    )
    return {
        "digits_wrn": Judged(digits, 4, 10),
        "digits_mlp_adamw": Judged(perceptron, 4, 10, _ADAMW),
        "cifar_wrn": Judged(replace(cifar, first_seed=500), 2, 3),
    }


def regret(grid: Advice, rate: float) -> dict[str, object]:
    """Return the regret of a recommended learning rate against the grid's best."""
    means = {r: grid.mean(grid.arm(r)).mean for r in grid.finalists()}
    best = max(means, key=lambda r: means[r])
    if rate not in means:
        return {"best": best, "advised": rate, "regret": None}
    e = grid.gain(grid.arm(best), grid.arm(rate))
    return {
        "best": best, "advised": rate, "regret": e.mean,
        "low": e.low if e.n > 1 else None, "high": e.high if e.n > 1 else None, "n": e.n,
    }  # fmt: skip


def main() -> None:
    """Run and evaluate the searches named on the command line."""
    known = searches()
    for name in names_chosen(known, __doc__):
        judged, out = known[name], ROOT / "runs" / "advise" / name
        advised = [
            learnorder.run_advise(search, out / f"search-{number}")
            for number, search in enumerate(judged.repeated())
        ]
        grid = learnorder.run_advise(judged.grid(), out / "grid")
        folder = RESULTS / "advice"
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "grid": json.loads(to_json(grid)),
            "searches": [
                {**json.loads(to_json(one)), "judged": regret(grid, one.best())} for one in advised
            ],
        }
        with atomic_write(folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")
        shutil.copy(out / "search-0" / "report.html", out / "report.html")
        print(f"{name}.json written")


if __name__ == "__main__":
    main()
