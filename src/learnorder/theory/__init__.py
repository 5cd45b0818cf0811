"""The two-layer theory of the paper: data, algorithms, the network and its infinite width."""

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.theory.algorithm import Course, Grid, Moment, Outcome, Phase, phases, train
from learnorder.theory.config import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    SolverConfig,
    TheoryArm,
    TheoryConfig,
    paper_scaling,
    stability_limit,
)

__all__ = [
    "THEORY_ARMS",
    "AlgorithmConfig",
    "Course",
    "DistributionConfig",
    "Grid",
    "MeasureConfig",
    "Moment",
    "NetworkConfig",
    "Outcome",
    "Phase",
    "SolverConfig",
    "TheoryArm",
    "TheoryConfig",
    "paper_scaling",
    "phases",
    "stability_limit",
    "train",
]
