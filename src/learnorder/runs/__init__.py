"""Run folders: one for each run, valid at every moment."""

from learnorder.runs.finding import existing_runs, find_runs, require_ended
from learnorder.runs.folder import ENDED, Progress, RunFolder, RunStatus
from learnorder.runs.settings import difference_words, flatten, setting_words, shared_settings

__all__ = [
    "ENDED",
    "Progress",
    "RunFolder",
    "RunStatus",
    "difference_words",
    "existing_runs",
    "find_runs",
    "flatten",
    "require_ended",
    "setting_words",
    "shared_settings",
]
