"""Workers on a Ray cluster, whose machines share the disk with the run folders."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from learnorder.errors import ConfigError, one_line
from learnorder.execution.engine import Cores
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder

_ANSWER_SECONDS = 5.0


class _Executor:
    """The actor on the cluster: it executes one run after another, and can be stopped.

    Args:
        directory: The command's working directory, for relative paths and the user's code.
    """

    def __init__(self, directory: str) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        self._received = list[int]()
        if Path(directory).is_dir():
            os.chdir(directory)
            sys.path.insert(0, directory)

    def execute(self, path: str, threads: int) -> int:
        """Execute a run; return its exit code."""
        from learnorder.runs.worker import execute_logged

        if self._received:
            return 128 + self._received[0]
        if not Path(path, "manifest.json").exists():
            raise FileNotFoundError(path)
        return execute_logged(Path(path), threads, self._received)

    def stop(self, number: int) -> None:
        """Save and stop the current run, as a signal would."""
        self._received.append(number)


class Actor:
    """An actor of the cluster: a :class:`~learnorder.execution.engine.Worker`.

    Args:
        threads: Threads of each run, and cores that Ray reserves for it.
        gpus: GPUs, or the share of one, that Ray reserves for it.
    """

    def __init__(self, threads: int, gpus: float) -> None:
        import ray

        self._ray, self._threads = ray, threads
        executor: Any = ray.remote(_Executor)
        # max_concurrency=2: `stop` can be called while `execute` runs.
        actor = executor.options(max_concurrency=2, num_cpus=threads, num_gpus=gpus)
        self._actor = actor.remote(str(Path.cwd()))
        self._placed = self._actor.__ray_ready__.remote()
        self.result: Any = None
        self.alive = True

    def execute(self, folder: RunFolder[Any]) -> None:
        """Start a run."""
        self.result = self._actor.execute.remote(str(folder.path.resolve()), self._threads)

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the actor is alive."""
        try:
            return self._ray.get(self.result), True
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, FileNotFoundError):
                raise ConfigError(
                    "out",
                    str(error.cause),
                    "A machine of the Ray cluster cannot see this run folder. Give --out on a disk "
                    "that all its machines share.",
                ) from None
            raise
        except self._ray.exceptions.RayError as error:  # the process or its machine is dead
            self.alive = False
            if "creation task" in str(error):
                reason = one_line(error)[-300:]
                raise ConfigError(
                    "engine",
                    "ray",
                    f"A machine of the cluster cannot execute runs: {reason} Install the same "
                    "version of learnorder on all of them.",
                ) from None
            return -signal.SIGKILL, False

    def send_signal(self, number: int) -> None:
        """Save and stop the run; SIGKILL kills the actor.

        An actor that is still waiting for resources has nothing to save, and is killed too.
        """
        placed, _ = self._ray.wait([self._placed], timeout=0)
        if number == signal.SIGKILL or not placed:
            self._ray.kill(self._actor)
        else:
            self._actor.stop.remote(number)

    def close(self, *, kill: bool = False) -> None:
        """Kill the actor; an idle one has nothing to save."""
        if self.alive:
            self._ray.kill(self._actor)
            self.alive = False


def check_answers(address: str | None) -> None:
    """Check that something listens at an address; Ray would try it for minutes.

    Raises:
        ConfigError: Nothing listens there.
    """
    place = urlsplit(address if address and "://" in address else f"ray://{address}")
    try:
        if place.hostname is None or place.port is None:  # auto, local, none
            return
        socket.create_connection((place.hostname, place.port), _ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> ConfigError:
    return ConfigError(
        "address",
        address,
        f"No Ray cluster answers ({one_line(error)}). Start one with `ray start --head`, or omit "
        "--address for one on this machine.",
    )


class RayCluster:
    """A Ray cluster: an :class:`~learnorder.execution.engine.Engine`.

    Args:
        address: As for ``ray.init``: host:port, auto, ray://host:port. None starts a cluster on
            this machine, which stops with this process.
        gpus: GPUs, or the share of one, for each run; None is one if the cluster has any and the
            runs use accelerators.

    Raises:
        ConfigError: Ray is not installed, ``gpus`` is negative, or no cluster answers.
    """

    processes = 1

    def __init__(self, address: str | None = None, gpus: float | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise ConfigError(
                "engine", "ray", "Ray is not installed. In a checkout: pip install -e '.[ray]'."
            ) from None
        if gpus is not None and gpus < 0:
            raise ConfigError("gpus", gpus, "Give 0 or more, e.g. 0.5 for half a GPU.")
        self._ray, self._gpus, self._each = ray, gpus, gpus
        if not ray.is_initialized():
            check_answers(address)
            try:
                ray.init(
                    address=address or "local",
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                    include_dashboard=False if address is None else None,
                )
            except Exception as error:
                raise _no_cluster(address, error) from error

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Run as many runs at once as the cluster has room for.

        Raises:
            ConfigError: Less than one worker or thread, or no room for a single run.
        """
        Execution(workers, threads)  # checks the numbers
        machines = [
            (node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
            for node in self._ray.nodes()
            if node["Alive"]
        ]
        self._each = self._gpus
        if self._each is None:
            self._each = 1.0 if accelerated and any(gpus for _, gpus in machines) else 0.0
        threads = threads or 1
        room = sum(fitting(cpus, gpus, threads, self._each) for cpus, gpus in machines)
        if room < 1:
            available = "; ".join(f"{cpus:g} and {gpus:g}" for cpus, gpus in machines)
            raise ConfigError(
                "threads", threads, f"A run needs {threads} cores and {self._each:g} GPUs; the "
                f"machines of the cluster have {available}."
            )  # fmt: skip
        return Cores(min(workers or runs, room, max(runs, 1)), threads)

    def start(self, threads: int) -> Actor:
        """Start an actor."""
        return Actor(threads, self._each or 0.0)

    def ready(self, busy: Mapping[RunFolder[Any], Actor], seconds: float) -> list[RunFolder[Any]]:
        """Wait for results."""
        by_result = {worker.result: folder for folder, worker in busy.items()}
        if not by_result:
            time.sleep(seconds)
            return []
        done, _ = self._ray.wait(list(by_result), num_returns=1, timeout=seconds)
        return [by_result[result] for result in done]


def fitting(cpus: float, gpus: float, threads: int, share: float) -> int:
    """Return the number of runs that fit on a machine.

    Args:
        cpus: Its cores.
        gpus: Its GPUs.
        threads: Cores per run.
        share: GPUs per run; a share below 1 is on a single GPU.

    >>> fitting(8, 2, 2, 0.4), fitting(3, 0, 2, 0), fitting(64, 4, 2, 2)
    (4, 1, 2)
    """
    room = math.floor(cpus / threads)
    if share >= 1:
        return min(room, math.floor(gpus / share))
    if share > 0:
        return min(room, math.floor(gpus) * math.floor(1 / share + 1e-9))
    return room
