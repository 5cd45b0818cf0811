"""Workers that are local processes."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from learnorder.errors import ConfigError
from learnorder.execution.engine import Cores, has_accelerator, share_cores
from learnorder.execution.machine import MOST, VISIBLE_GPUS, process_environment
from learnorder.runs import RunFolder
from learnorder.runs.worker import encode_request


class Process:
    """A process that executes runs one after another.

    Args:
        threads: Threads of each run.
        device: The GPU that its runs see, as CUDA_VISIBLE_DEVICES; None is all of this process.
    """

    def __init__(self, threads: int, device: str | None = None) -> None:
        self.device, self.surroundings = device, _surroundings(threads)
        self._signalled = False
        command = [sys.executable, "-m", "learnorder.runs.worker", "--threads", str(threads)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_on(threads, device),
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    @property
    def answers(self) -> int:
        """File descriptor that is readable when there is an answer or the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def execute(self, folder: RunFolder[Any]) -> None:
        """Start a run."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # answer() detects a dead worker
            self._process.stdin.write(encode_request(folder.path.resolve()))
            self._process.stdin.flush()

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the worker is alive."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return int(line), True
        return self._process.wait(), False

    def send_signal(self, number: int) -> None:
        """Pass a signal to the process, which then executes no further runs."""
        self._signalled = True
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self, *, kill: bool = False) -> None:
        """Stop the process when it is idle, or kill it at once.

        Within :func:`processes_kept` an idle process is kept.
        """
        if kill:
            self._process.kill()
        elif _kept is not None and self.alive and not self._signalled:
            _kept.append(self)
            return
        self.stop()

    def stop(self) -> None:
        """Stop the process when it is idle, and wait for that."""
        self.begin_stop()
        self._process.wait()

    def begin_stop(self) -> None:
        """Tell the process to stop when it is idle; :meth:`stop` waits for that."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()


def environment_on(threads: int, device: str | None) -> dict[str, str]:
    """Return the environment of a process with some threads that sees one GPU; None is all."""
    visible = {} if device is None else {VISIBLE_GPUS: device}
    return {**process_environment(threads), **visible}


def visible_gpus() -> list[str]:
    """Return the GPUs that this process sees, as ids of CUDA_VISIBLE_DEVICES."""
    import torch

    listed = [name.strip() for name in os.environ.get(VISIBLE_GPUS, "").split(",")]
    count = torch.cuda.device_count()
    return listed[:count] if any(listed) else [str(index) for index in range(count)]


def _surroundings(threads: int) -> tuple[int, Path, dict[str, str]]:
    """Return what a process that starts now inherits: its threads, folder and environment."""
    return threads, Path.cwd(), dict(os.environ)


_kept: list[Process] | None = None
"""Idle processes within :func:`processes_kept`, else None."""


@contextmanager
def processes_kept() -> Iterator[None]:
    """Keep idle processes for the next runs within the ``with`` block; also a decorator.

    A process takes seconds to start, most of them to import torch. Experiments of several stages
    have the stages share their processes.
    """
    global _kept
    if _kept is not None:  # the outer block stops them
        yield
        return
    _kept = []
    try:
        yield
    finally:
        idle, _kept = _kept, None
        for process in idle:
            process.begin_stop()
        for process in idle:
            process.stop()


def _take_kept(threads: int, device: str | None) -> Process | None:
    """Return a kept process, or None if there is none for this GPU.

    Kept processes with another number of threads, folder or environment are stopped: the next runs
    have no use for them.
    """
    now = _surroundings(threads)
    for process in list(_kept or ()):
        if process.surroundings != now or not process.alive:
            assert _kept is not None
            _kept.remove(process)
            process.stop()
    for process in _kept or ():
        if process.device == device:
            assert _kept is not None
            _kept.remove(process)
            return process
    return None


class Processes:
    """Local processes: an :class:`~learnorder.execution.engine.Engine`.

    Args:
        devices: GPUs to give out to the runs that train a network and to scripts, as ids of
            CUDA_VISIBLE_DEVICES. If there are none, runs that train a network get all GPUs that
            this process sees if there are several; other runs see what this process sees.
        runs_per_device: Runs at once on each GPU. ``"auto"`` is 1 until
            :func:`~learnorder.execution.sharing.share_devices` has measured it.

    Attributes:
        devices: The GPUs.
        runs_per_device: As above.
        measured: Whether it has been measured; once is enough for all stages of an experiment.

    Raises:
        ConfigError: The GPUs are not a list, a GPU is listed twice, an id is empty, or less than
            one run per GPU.
    """

    processes = 1

    def __init__(
        self, devices: Sequence[str | int] = (), runs_per_device: int | Literal["auto"] = 1
    ) -> None:
        if isinstance(devices, str):
            raise ConfigError("devices", devices, "Give a list of GPUs, e.g. [0, 1].")
        self.devices = [str(device).strip() for device in devices]
        self.runs_per_device: int | Literal["auto"] = runs_per_device
        self.measured = False
        self._given, self._started = bool(self.devices), list[Process]()
        self._listed = bool(os.environ.get(VISIBLE_GPUS))
        self._there = visible_gpus() if self._numbered() else []
        if "" in self.devices or len(set(self.devices)) < len(self.devices):
            raise ConfigError("devices", list(devices), "Give each GPU once, e.g. [0, 1].")
        if runs_per_device != "auto" and not 1 <= runs_per_device <= MOST:
            remedy = f"Give at least 1, at most {MOST}, or auto."
            raise ConfigError("runs_per_device", runs_per_device, remedy)

    def see_only_these(self) -> None:
        """Let this process, which checks and times the runs, see only the GPUs that were given.

        It has an effect until torch first uses a GPU, and on all that this process does later.
        """
        if self._given:
            os.environ[VISIBLE_GPUS] = ",".join(self.devices)

    def check_devices(self) -> None:
        """Check that the GPUs that were given are there, for runs that train a network.

        Raises:
            ConfigError: A number is not among those that torch saw in this process, or torch sees
                no GPU: names such as GPU-8932f937… and MIG-… are not compared.
        """
        if not self._given:
            return
        if (unknown := set(self._numbered()) - {*self._there}) and self._there:
            chosen = f" ({VISIBLE_GPUS})" if self._listed else ""
            wrong, there = ", ".join(sorted(unknown)), ", ".join(self._there)
            remedy = f"{wrong} is not visible here{chosen}. Give some of {there}."
            raise ConfigError("devices", self.devices, remedy)
        if unknown or not has_accelerator():
            remedy = "Torch finds no such GPU here. Leave it out, or install a CUDA build of torch."
            raise ConfigError("devices", self.devices, remedy)

    def _numbered(self) -> list[str]:
        """Return the GPUs that were given by number."""
        return [device for device in self.devices if device.isdigit()]

    def check_scripts(self) -> None:
        """Check the settings for commands of the user, which choose their GPU themselves.

        Raises:
            ConfigError: ``runs_per_device`` is auto, or not 1 without ``devices``.
        """
        if (asked := self.runs_per_device) == "auto" or (asked != 1 and not self._given):
            remedy = (
                "A command cannot be tried out. Give a number, and --devices for its GPUs."
                if asked == "auto"
                else "A command chooses its GPU itself. Give --devices too, or --workers."
            )
            raise ConfigError("runs_per_device", asked, remedy)

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Divide the machine's cores; see :func:`~learnorder.execution.engine.share_cores`.

        Raises:
            ConfigError: Less than one worker or thread; ``runs_per_device`` together with
                ``workers``, or without a GPU.
        """
        asked = self.runs_per_device
        if asked != 1 and workers is not None:
            remedy = "It is the number of runs on each GPU, workers that on all: give one of them."
            raise ConfigError("runs_per_device", asked, remedy)
        if not self._given:
            gpus = visible_gpus() if accelerated and has_accelerator() else []
            self.devices = gpus if len(gpus) > 1 else []
        if accelerated and asked != 1 and not (self.devices or has_accelerator()):
            remedy = "There is no GPU here. --workers is the number of runs at once on the cores."
            raise ConfigError("runs_per_device", asked, remedy)
        if workers is None and accelerated and (self.devices or has_accelerator()):
            each = 1 if asked == "auto" else asked
            workers = min(max(1, len(self.devices)) * each, max(runs, 1))
        return share_cores(runs, workers, threads, accelerated=accelerated)

    def start(self, threads: int) -> Process:
        """Start a process, on the GPU that the fewest others have."""
        idle = _kept or []
        self._started = [p for p in self._started if p.alive and p not in idle]
        used = Counter(process.device for process in self._started)
        device = min(self.devices, key=lambda name: used[name], default=None)
        process = _take_kept(threads, device) or Process(threads, device)
        self._started.append(process)
        return process

    def ready(self, busy: Mapping[RunFolder[Any], Process], seconds: float) -> list[RunFolder[Any]]:
        """Wait for answers."""
        with selectors.DefaultSelector() as selector:
            for folder, worker in busy.items():
                selector.register(worker.answers, selectors.EVENT_READ, folder)
            return [key.data for key, _ in selector.select(seconds)]
