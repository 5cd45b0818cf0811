"""How the cost of work grows with its size: images, runs, and examples of the theory.

``python benchmarks/growth.py`` measures all three, ``growth.py runs --sizes 10 100`` some; each
size in a process of its own, on one thread, in processor time. The exponent is the slope of log
time over log size, by least squares, over the upper decade of sizes. The last line is JSON;
``--record results/growth.json`` also writes the measurements there, from which
``docs/explanation/growth.md`` is made.

- images: 8×8 random pixels, a linear classifier. Preparing a run (evaluation sets, a stratified
  split), assembling an epoch of batches, evaluating, updating a learning order; and memory.
- runs: finished runs of 1,000 records, five seeds of each point of a grid, as a sweep leaves them.
  Listing, a query of all records, continuing with nothing to do, the report.
- theory: a step without the quadratic part, by the recursion and by the flow with conjugate
  gradients, N = 4d; whole runs of the flow up to N = d = 4,000.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

import learnorder
from finished_runs import QUESTION, finished_runs, plans_of, short_run
from learnorder.data import stratified_order
from learnorder.execution.driver import run_plans
from learnorder.execution.settings import Execution
from learnorder.patterns import evaluation_sets
from learnorder.theory import Phase
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel
from learnorder.theory.recursion import Recursion
from learnorder.theory.simulation import training_set
from learnorder.training.batches import Batches
from learnorder.training.evaluation import evaluate
from learnorder.training.process_group import ProcessGroup
from learnorder.training.records import Records
from theory import factored_up_to, flow_run, large_run
from workload import random_images

Measured = dict[str, float]

FIRST = 10
"""The steps of the flow that are timed."""
MOST_QUERIED = 10_000
"""The largest number of runs whose records are all queried, for memory: about 0.1 MB a run."""
MOST_WHOLE = 4_000
"""The largest N of a whole run of the flow."""


def images(count: int) -> Measured:
    """Measure a run on images, as many to train as to evaluate on."""
    before = peak_bytes()
    data = random_images(count, 8)
    data = replace(data, evaluation=data.train)
    config = short_run(0, 1)
    labels, classes = data.train.labels, data.num_classes
    group, model = (
        ProcessGroup(torch.device("cpu")),
        nn.Sequential(nn.Flatten(), nn.Linear(192, 10)),
    )
    batches = Batches(config, data, group.device)
    sets = evaluation_sets(config.patch, labels, classes, seed=0)
    order, logits = learnorder.LearningOrder(count), torch.randn(256, classes)

    def prepare() -> None:
        Batches(config, data, group.device)
        evaluation_sets(config.patch, labels, classes, seed=0)
        stratified_order(labels, seed=0)

    def epoch() -> None:
        for _ in batches.epoch(1):
            pass

    def follow() -> None:
        for index in torch.arange(count).split(256):
            order.update(index, logits[: len(index)], labels[index])

    return {
        "prepare_s": shortest(prepare),
        "epoch_s": shortest(epoch),
        "evaluation_s": shortest(lambda: evaluate(model, batches, sets, Records(), 1, group)),
        "order_s": shortest(follow),
        "memory_bytes": peak_bytes() - before,
    }


def runs(count: int) -> Measured:
    """Measure what is done with finished runs."""
    with finished_runs(8) as few:  # imports what reports need
        learnorder.write_report(learnorder.open_runs(few), few / "report.html")
    before, again = peak_bytes(), Execution(quiet=True)
    with finished_runs(count) as place:
        page = place / "report.html"
        found = {
            "report_s": shortest(
                lambda: learnorder.write_report(learnorder.open_runs(place), page)
            ),
            "report_bytes": page.stat().st_size,
            "memory_bytes": peak_bytes() - before,
            "list_s": shortest(lambda: learnorder.query("SELECT * FROM runs", place)),
        }
        plans = plans_of(place)
        found["continue_s"] = shortest(lambda: run_plans(plans, place, again))
        if count <= MOST_QUERIED:
            found["query_s"] = shortest(lambda: learnorder.query(QUESTION, place))
        return found


def theory(count: int) -> Measured:
    """Measure steps and, up to ``MOST_WHOLE`` examples, a whole run of the flow."""
    before = peak_bytes()
    config = large_run(count // 4)
    config = replace(config, distribution=replace(config.distribution, num_train=count, kappa=None))
    kernel = Kernel(training_set(config, 0), config.network, quadratic=False)
    phase = Phase(config.eta1, 0.0, 0.0)
    recursion, flow = Recursion(kernel, config), Flow(kernel, config)
    flow.begin(phase)
    with factored_up_to(0):
        found = {
            "recursion_step_s": shortest(lambda: recursion.advance(phase, math.inf)),
            "flow_step_s": processor_seconds(lambda: first_steps(flow, phase)) / FIRST,
            "memory_bytes": peak_bytes() - before,
        }
    if count <= MOST_WHOLE:
        found["flow_run_s"] = processor_seconds(lambda: flow_run(large_run(count)))
    return found


def first_steps(flow: Flow, phase: Phase) -> None:
    """Take the first steps of the flow."""
    for _ in range(FIRST):
        flow.advance(phase, math.inf)


PARTS: dict[str, tuple[Callable[[int], Measured], tuple[int, ...]]] = {
    "images": (images, (10_000, 100_000, 1_000_000)),
    "runs": (runs, (10, 100, 1_000, 10_000, 100_000)),
    "theory": (theory, (100, 300, 1_000, 2_000, 4_000, 10_000, 20_000)),
}
"""What is measured, and at which sizes."""


def peak_bytes() -> int:
    """Return the most memory that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call, which other processes hardly change."""
    started = time.process_time()
    work()
    return time.process_time() - started


def shortest(work: Callable[[], object]) -> float:
    """Return the processor time of the quickest call; calls are repeated for about a second."""
    times = [processor_seconds(work)]
    while sum(times) < 1 and len(times) < 100:
        times.append(processor_seconds(work))
    return min(times)


def exponent(values: Mapping[int, float]) -> float | None:
    """Return the slope of log value over log size, over the upper decade; None for one size.

    >>> exponent({1: 7, 10: 100, 100: 10_000})
    2.0
    """
    upper = {size: value for size, value in values.items() if 10 * size >= max(values)}
    if len(upper) < 2:
        return None
    slope = np.polyfit(np.log(list(upper)), np.log(list(upper.values())), 1)[0]
    return round(float(slope), 3)


def measure(part: str, size: int) -> Measured:
    """Measure at a size; for a process of its own."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return PARTS[part][0](size)


def apart(part: str, size: int) -> Measured:
    """Measure in a process of its own, so that its peak memory is that of the size."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (part, size))


def shown(name: str, value: float | None) -> str:
    """Return a measured value with its unit."""
    if value is None:
        return ""
    return f"{value:.3g} s" if name.endswith("_s") else f"{value / 1e6:,.1f} MB"


def main() -> None:
    """Measure, print tables, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; default: all.")
    parser.add_argument("--sizes", type=int, nargs="+", help="Of one part.")
    parser.add_argument("--record", type=Path, help="Gets the measurements; keeps its others.")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no {unknown.pop()}; give {', '.join(PARTS)}")
    if arguments.sizes and len(parts) != 1:
        parser.error("--sizes are those of one part: name it")
    path: Path | None = arguments.record
    record = json.loads(path.read_text()) if path and path.exists() else {}
    exponents = dict[str, dict[str, float | None]]()
    for part in parts:
        known = record.get(part, {}).get("sizes", {})
        measured = {int(size): values for size, values in known.items()}
        for size in arguments.sizes or PARTS[part][1]:
            measured[size] = apart(part, size)
        measured = dict(sorted(measured.items()))
        names = dict.fromkeys(name for values in measured.values() for name in values)
        exponents[part] = {
            name: exponent({n: values[name] for n, values in measured.items() if name in values})
            for name in names
        }
        table = Table(*(part, *(f"{size:,}" for size in measured), "exponent"))
        for name in names:
            values = [shown(name, values.get(name)) for values in measured.values()]
            table.add_row(name, *values, str(exponents[part][name]))
        Console(width=140).print(table)
        record[part] = {"sizes": measured, "exponents": exponents[part]}
    if path:
        path.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(exponents))


if __name__ == "__main__":
    sys.exit(main())
