"""The cores that a process may use, threads that sleep while they wait, memory that is kept."""

import math
import os
import platform
import subprocess
import sys

import pytest

from learnorder.execution.driver import cores_for
from learnorder.execution.machine import (
    KEPT_MEMORY,
    SLEEPING_THREADS,
    core_quota,
    process_environment,
    usable_cores,
)
from learnorder.execution.settings import Execution
from learnorder.theory import TheoryConfig


def grouped(tmp_path, listed, files):
    """Write control groups; return where they are, and the list of the process's own."""
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    groups.mkdir()
    own.write_text(listed)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return groups, own


@pytest.mark.parametrize(
    ("listed", "files", "quota"),
    [
        ("0::/job", {"job/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/", {"cpu.max": "400000 100000\n"}, 4.0),  # in a container
        ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, 1.0),
        ("0::/a", {"a/cpu.max": "max 100000"}, math.inf),
        (
            "4:memory:/job\n2:cpu,cpuacct:/job\n0::/",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            "2:cpu,cpuacct:/job",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
            math.inf,
        ),
        ("0::/../elsewhere", {}, math.inf),
    ],
)
def test_quota_of_control_groups(tmp_path, listed, files, quota):
    assert core_quota(*grouped(tmp_path, listed, files)) == quota


def test_a_system_without_control_groups_has_no_quota(tmp_path):
    assert core_quota(tmp_path, tmp_path / "missing") == math.inf


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_a_process_bound_to_one_core_uses_one():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from learnorder.execution.machine import usable_cores; print(usable_cores())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.split() == ["1"]


def test_a_quota_bounds_the_usable_cores(monkeypatch):
    monkeypatch.setattr("learnorder.execution.machine.core_quota", lambda: 1.5)
    assert usable_cores() == 1
    monkeypatch.setattr("learnorder.execution.machine.core_quota", lambda: 0.2)
    assert usable_cores() == 1


def test_theory_takes_one_thread(monkeypatch):
    monkeypatch.setattr("learnorder.execution.engine.usable_cores", lambda: 8)
    assert cores_for([TheoryConfig()], Execution()).threads == 1
    assert cores_for([TheoryConfig()] * 3, Execution()).workers == 3
    assert cores_for([TheoryConfig()], Execution(threads=2)).threads == 2


def test_waiting_threads_sleep(monkeypatch):
    for name in SLEEPING_THREADS:
        monkeypatch.delenv(name, raising=False)
    assert process_environment(2)["OMP_WAIT_POLICY"] == "PASSIVE"
    assert process_environment(2)["GOMP_SPINCOUNT"] == "1000"
    assert process_environment(2)["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert process_environment(2)["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "GOMP_SPINCOUNT" not in process_environment(2), "it would be stronger"


FAULTS = """
import resource
import torch
def step():
    return [torch.ones(1_000_000) for _ in range(16)]
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other allocators are left as they are"
)
def test_freed_memory_is_kept_for_the_next_step(monkeypatch):
    """64 MB are new to the system in the first steps alone, unless the user has it otherwise."""
    for name in KEPT_MEMORY:
        monkeypatch.delenv(name, raising=False)

    def page_faults():
        command = [sys.executable, "-c", FAULTS]
        env = process_environment(1)
        return int(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)

    assert page_faults() < 1_000
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    assert page_faults() > 1_000
