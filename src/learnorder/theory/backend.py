"""Backend for runs of the theory: the simulation, with its checkpoints and records."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from learnorder.runs.checkpoint import load_checkpoint, save_checkpoint
from learnorder.runs.folder import Progress, RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.pace import Pace
from learnorder.theory import TheoryConfig
from learnorder.theory.memory import check_memory
from learnorder.theory.simulation import Simulation, simulate

_SAVE_SECONDS = 60.0
_MEASURE_SECONDS = 2.0
_FLOW_STEPS = 180
"""Steps of a typical run of the flow at the default tolerance."""
_RECORD_BYTES = 40_000


def check(configs: Sequence[TheoryConfig], processes: int = 1) -> None:
    """Refuse runs that exceed this machine's memory. The configuration checks everything else."""
    for config in configs:
        check_memory(config)


def identify(configs: Sequence[TheoryConfig]) -> list[dict[str, str]]:
    """Return an empty identity for each run: the configuration alone identifies it."""
    return [{} for _ in configs]


def run(folder: RunFolder[TheoryConfig], stop: Callable[[], bool]) -> tuple[EndStatus, str] | None:
    """Simulate the folder's run to its end; see :class:`~learnorder.runs.kinds.Backend`."""
    check_memory(folder.config)
    saved = load_checkpoint(folder)
    simulation = simulate(folder.config, snapshot=None if saved is None else saved["simulation"])
    folder.update(data={"train_examples": folder.config.distribution.N})
    progress_pace, save_pace, started = Pace(), Pace(_SAVE_SECONDS), time.perf_counter()
    seconds_before = 0.0 if saved is None else saved["seconds"]
    save_pace.due()

    def save() -> None:
        seconds = seconds_before + time.perf_counter() - started
        save_checkpoint(folder, {"simulation": simulation.snapshot(), "seconds": seconds})
        folder.write_tables(records=simulation.records.table())

    def stop_here() -> bool:
        if progress_pace.due():
            folder.write_progress(_progress(simulation))
        if save_pace.due():
            save()
        return stop()

    outcome = simulation.run(stop_here)
    if outcome is None:
        save()
        return None
    folder.write_tables(records=simulation.records.table())
    folder.update(seconds=round(seconds_before + time.perf_counter() - started, 3))
    return outcome.status, outcome.reason


def _progress(simulation: Simulation) -> Progress:
    """Return the fraction of the required decrease in loss; the time left is unknown."""
    point, config = simulation.point, simulation.config
    required = math.log(2) - config.algorithm.epsilon2
    fraction = min(max((math.log(2) - point.loss) / required, 0.0), 1.0)
    return Progress(fraction, f"η·t {point.time:.3g}, loss {point.loss:.3f}")


def cost_key(config: TheoryConfig) -> str:
    """Return a key that is equal for runs of equal cost."""
    data, parts = config.distribution, [config.network, config.solver, config.measure]
    if config.solver.engine != "flow":  # the number of steps depends on the learning rates
        parts += [config.arm, config.eta1, config.eta2, config.max_time]
    return repr((data.d, data.N, parts))


def measure(config: TheoryConfig) -> CostEstimate:
    """Time a few steps and estimate how many the run takes."""
    simulation, taken = simulate(config), 0
    started = time.perf_counter()

    def out_of_time() -> bool:
        nonlocal taken
        taken += 1
        return time.perf_counter() - started > _MEASURE_SECONDS

    outcome = simulation.run(out_of_time)
    seconds_per_step = (time.perf_counter() - started) / max(taken, 1)
    if outcome is not None:
        steps = taken
    elif config.solver.engine == "flow":
        steps = _FLOW_STEPS
    else:
        steps = math.ceil(config.max_time / simulation.step_length)
    data = config.distribution
    return CostEstimate(
        seconds=seconds_per_step * max(steps, taken),
        what=f"{steps:,} steps at d = {data.d:,}, N = {data.N:,} ({config.solver.engine})",
        disk_bytes=_RECORD_BYTES,
        peak_bytes=3 * simulation.state_bytes,
        at_most=outcome is None and config.solver.engine != "flow",
    )
