"""The training dynamics that a run leaves in its folder, with some of the examples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from learnorder.data.groups import Grouping
from learnorder.errors import one_line
from learnorder.report.examples import example_lists
from learnorder.report.thumbnails import small_example
from learnorder.runs.dynamics import Shown, write_dynamics
from learnorder.runs.folder import RunFolder
from learnorder.seeding import random_state_kept, seed_everything

if TYPE_CHECKING:
    import pandas as pd

    from learnorder.training.dynamics import RunDynamics

_MOST = 50
"""Examples of each list whose content is saved."""


def save_dynamics(
    folder: RunFolder[Any],
    kept: RunDynamics,
    indices: Sequence[int],
    grouping: Grouping | None,
    show: Callable[[int], object] | None,
) -> None:
    """Write the training dynamics of a run to its folder.

    Args:
        folder: The run.
        kept: Its training dynamics.
        indices: The index that users know each training example by, [N].
        grouping: The known groups, if there are any.
        show: Returns what to show of an example, from its index: a text, a PIL image, or uint8
            pixels. It is called for the examples that a page may list. None shows nothing.
    """
    if folder.read_only:
        return
    frame = kept.order.frame().reset_index(drop=True)
    groups = None
    if grouping is not None:
        groups = [grouping.names[code] for code in grouping.train.tolist()]
    frame["group"] = groups
    frame.insert(0, "index", list(indices))
    frame.insert(2, "label", kept.labels)
    write_dynamics(folder, frame, {} if show is None else _shown(frame, show))


def _shown(frame: pd.DataFrame, show: Callable[[int], object]) -> dict[int, Shown]:
    """Return what is shown of the examples of a run's lists; those that fail are left out."""
    seen = frame[frame["epochs_seen"] > 0].set_index("index")
    listed = {i for each in example_lists(seen, _MOST) for i in each.rows.head(_MOST).index}
    found: dict[int, Shown] = {}
    with random_state_kept():
        seed_everything(0, "shown")
        for index in sorted(listed):
            try:
                found[index] = small_example(show(index), index)
            except Exception as error:  # a run does not fail because an example cannot be shown
                logging.getLogger(__name__).warning(
                    "Example %d is not shown: %s.", index, one_line(error)
                )
    return found
