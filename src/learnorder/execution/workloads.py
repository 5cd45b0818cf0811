"""Workloads of planned runs: runs of one workload cost the same, so one of them is measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from learnorder.runs.kinds import Settings, kind_of

SettingsT = TypeVar("SettingsT", bound=Settings)

_MOST = 3
"""Number of different workloads of an experiment that are tried out, at most."""


def workload_of(config: Settings) -> str:
    """Return a key that is equal for runs of equal cost."""
    return kind_of(config).load_backend().cost_key(config)


def by_workload(configs: Iterable[SettingsT]) -> dict[str, SettingsT]:
    """Return a configuration of each workload, by its key."""
    return {workload_of(config): config for config in configs}


def some_workloads(configs: Iterable[SettingsT]) -> list[SettingsT]:
    """Return configurations of at most three different workloads, spread evenly over all."""
    from learnorder.training.identity import spread

    distinct = list(by_workload(configs).values())
    return [distinct[i] for i in spread(len(distinct), _MOST)]
