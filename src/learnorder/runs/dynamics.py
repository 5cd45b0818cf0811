"""The training dynamics that runs have kept, by arm and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from learnorder.errors import RunFolderError
from learnorder.runs.folder import DYNAMICS, RunFolder
from learnorder.runs.run_set import RunSet
from learnorder.runs.sealed import unreadable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

Shown = str | bytes
"""What pages show of an example: a text, or an image as a PNG."""
_EPOCHS = (
    "epochs_seen",
    "first_learned",
    "learned_for_good",
    "last_forgotten",
    "forgetting_events",
    "nonfinite",
)
_OPTIONAL = ("group", "text", "picture")
_VALUES = ("confidence", "variability", "correctness", "aum")


def _schema() -> pa.Schema:
    """Return the columns of dynamics.parquet."""
    import pyarrow as pa

    return pa.schema(
        [
            ("index", pa.int64()),
            ("group", pa.string()),
            ("label", pa.int64()),
            *((name, pa.int32()) for name in _EPOCHS),
            *((name, pa.float64()) for name in _VALUES),
            ("text", pa.string()),
            ("picture", pa.binary()),
        ]
    )


def write_dynamics(folder: RunFolder[Any], frame: pd.DataFrame, shown: Mapping[int, Shown]) -> None:
    """Write dynamics.parquet to a run's folder.

    Args:
        folder: The run.
        frame: A row for each training example, with its index, group and label, and the columns of
            :meth:`LearningOrder.frame <learnorder.LearningOrder.frame>`.
        shown: What pages show of some examples, by index.
    """
    import pyarrow as pa

    schema, contents = _schema(), [shown.get(index) for index in frame["index"].tolist()]
    columns = {name: frame[name].to_numpy() for name in frame}
    columns["text"] = [each if isinstance(each, str) else None for each in contents]
    columns["picture"] = [each if isinstance(each, bytes) else None for each in contents]
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    folder.write_tables(dynamics=pa.table(arrays, schema=schema))


def read_dynamics(folder: RunFolder[Any]) -> pd.DataFrame | None:
    """Return the dynamics of a run as written by :func:`write_dynamics`; None if it has none.

    Raises:
        RunFolderError: They cannot be read.
    """
    table = folder.dynamics()
    if table is None:
        return None
    if not table.schema.equals(_schema()):
        raise unreadable(folder.file(DYNAMICS), "its columns are those of another version")
    import pandas as pd

    columns = [n for n in table.column_names if n not in _OPTIONAL]
    frame = table.select(columns).to_pandas()
    for place, name in enumerate(table.column_names):
        if name in _OPTIONAL:  # pandas would make nan of None
            frame.insert(place, name, pd.Series(table[name].to_pylist(), dtype=object))
    return frame


@dataclass(frozen=True)
class KeptDynamics:
    """The training dynamics of the finished runs that have kept them.

    Attributes:
        by_arm: Those of each arm's runs, by seed; see :func:`read_dynamics`.
    """

    by_arm: Mapping[str, Mapping[int, pd.DataFrame]]

    @staticmethod
    def of(results: RunSet[Any]) -> KeptDynamics | None:
        """Return the dynamics of some runs; None if no finished run has kept them.

        Raises:
            RunFolderError: They cannot be read.
        """
        by_arm: dict[str, dict[int, pd.DataFrame]] = {}
        for folder in results.folders:
            if folder.file(DYNAMICS).exists() and results.is_finished(folder):
                frame = read_dynamics(folder)
                if frame is not None:
                    by_arm.setdefault(results.arm_of(folder), {})[folder.config.seed] = frame
        return KeptDynamics(by_arm) if by_arm else None

    def frame(self) -> pd.DataFrame:
        """Return a row for each run and example, with its arm and seed."""
        import pandas as pd

        parts = []
        for arm, frames in self.by_arm.items():
            for seed, frame in frames.items():
                part = frame.drop(columns=["text", "picture"])
                part.insert(0, "arm", arm)
                part.insert(1, "seed", seed)
                parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def shown(self) -> dict[int, Shown]:
        """What any run shows of some examples, by index."""
        found: dict[int, Shown] = {}
        for frames in self.by_arm.values():
            for frame in frames.values():
                columns = (frame[name].tolist() for name in ("index", "text", "picture"))
                for index, text, picture in zip(*columns, strict=True):
                    if (shown := text if picture is None else picture) is not None:
                        found.setdefault(index, shown)
        return found

    def mean(self, arm: str) -> pd.DataFrame:
        """Return the dynamics of each example over an arm's runs, as those of a single run.

        Numbers are means over the runs in which it was predicted; the epoch first learned is the
        median over these, with never (0) after all others.

        Raises:
            RunFolderError: The runs have different training examples.
        """
        import numpy as np
        import pandas as pd

        frames = list(self.by_arm[arm].values())
        index = frames[0]["index"].to_numpy()
        if any(not np.array_equal(frame["index"].to_numpy(), index) for frame in frames):
            raise RunFolderError(
                f"Runs of the arm {arm!r} have different training examples, so their training "
                "dynamics cannot be averaged. Give folders of runs on the same data."
            )

        def stacked(name: str) -> NDArray[np.float64]:
            return np.stack([frame[name].to_numpy(dtype=float) for frame in frames])

        seen = stacked("epochs_seen") > 0
        columns: dict[str, Any] = {
            "group": frames[0]["group"].to_numpy(),
            "label": stacked("label").max(axis=0).astype(int),
            "epochs_seen": stacked("epochs_seen").max(axis=0).astype(int),
        }
        first = stacked("first_learned")
        ranked = np.where(seen, np.where(first > 0, first, np.inf), np.nan)
        columns["first_learned"] = _over_runs(ranked, np.median)
        columns["first_learned"][~np.isfinite(columns["first_learned"])] = 0
        for name in ("forgetting_events", *_VALUES):
            columns[name] = _over_runs(np.where(seen, stacked(name), np.nan), np.mean)
        return pd.DataFrame(columns, index=pd.Index(index, name="index"))


def _over_runs(values: NDArray[np.float64], function: Callable[..., Any]) -> NDArray[np.float64]:
    """Return a mean or median over the runs of [S, N] that are not nan, [N]."""
    import numpy as np

    known = ~np.isnan(values)
    found = np.full(values.shape[1], np.nan)
    for pattern in np.unique(known, axis=1).T:
        if pattern.any():
            columns = (known == pattern[:, None]).all(axis=0)
            found[columns] = function(values[np.ix_(pattern, columns)], axis=0)
    return found
