"""The usual names of columns in tables of runs."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


USUAL: dict[str, frozenset[str]] = {
    "learning_rate": _words(
        "learning_rate lr learningrate init_lr initial_lr initial_learning_rate base_lr "
        "base_learning_rate peak_lr max_lr lr0 eta"
    ),
    "seed": _words("seed random_seed manual_seed rng_seed global_seed random_state"),
    "epochs": _words(
        "epochs max_epochs num_epochs n_epochs total_epochs num_train_epochs train_epochs"
    ),
    "steps": _words(
        "steps max_steps num_steps n_steps total_steps train_steps num_train_steps "
        "max_iters num_iters iterations"
    ),
    "state": frozenset({"state", "status"}),
}
"""The usual names of columns, in lower case and without the prefix of a tracker."""
_PREFIX = re.compile(r"^(?:params?|parameters|config|hparams|hyperparameters|user_attrs)[._/]+")
SETTING_PREFIX = re.compile(r"^(?:params?|config|hparams|hyperparameters)[._/]")
MEASURED_PREFIX = re.compile(r"^(?:summary|metrics|system_attrs|system|tags)[._/]")
HELD_OUT = frozenset({"val", "valid", "validation", "eval", "dev"})
BARE = frozenset({"score", "accuracy", "acc"})
"""Columns of these names are the score if nothing else is."""
KNOWN_SETTINGS = _words(
    "weight_decay wd batch_size bs batchsize train_batch_size per_device_train_batch_size "
    "optimizer optim opt momentum nesterov beta1 beta2 dropout drop_rate label_smoothing warmup "
    "warmup_epochs warmup_steps warmup_ratio scheduler lr_scheduler lr_scheduler_type schedule "
    "anneal model arch architecture depth width hidden_size num_layers layers dataset data "
    "augmentation aug gradient_clip grad_clip clip gamma ema activation precision "
    "fp16 bf16 amp"
)
ABOUT_THE_RUN = _words(
    "name id agent state status notes user tags created updated end runtime sweep group job_type "
    "jobtype description commit github hostname host gpu_type gpu_count url path project entity "
    "number duration datetime_start datetime_complete run_id run_name run_uuid experiment_id "
    "artifact_uri start_time end_time epoch step global_step iteration timestamp"
)
"""Columns of trackers that describe a run, and progress, which are no settings."""
MEASUREMENTS = HELD_OUT | _words(
    "loss train best final last epoch time seconds secs sec minutes hours ms memory mem gpu flops "
    "throughput"
)
"""Words in names of measurements, besides those of scores."""


def plain_name(column: str) -> str:
    """Return the name of a setting without its sections and a tracker's prefix, in lower case.

    >>> plain_name("params_lr"), plain_name("config.optimizer.Learning-Rate")
    ('lr', 'learning_rate')
    """
    name = _PREFIX.sub("", column.strip().lower())
    return re.sub(r"[ -]", "_", name.rpartition(".")[2])
