"""Copies of runs' measurements for trackers: TensorBoard, or Weights & Biases offline.

A tracker reads run folders; runs do not depend on it. It can be added at any time, for runs of any
machine. copied.json notes what was copied to which of them, so that nothing is copied twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from learnorder.errors import ConfigError, one_line
from learnorder.runs import ENDED, RunFolder, flatten
from learnorder.runs.arms import label_of
from learnorder.runs.files import atomic_write
from learnorder.runs.plain_text import storable, visible

NOTES = "copied.json"
_LONGEST_LABEL = 80
"""Maximum bytes of a run's label in its name; W&B allows 128 for the name."""


def track(
    runs: Sequence[RunFolder[Any]], tracker: str, out: Path | str, *, project: str = "learnorder"
) -> list[RunFolder[Any]]:
    """Copy new measurements of runs to a tracker.

    Args:
        runs: The runs. W&B gets only runs that have ended; TensorBoard also those in progress.
        tracker: tensorboard or wandb.
        out: Folder for TensorBoard's event files, one folder per run, or W&B's offline runs.
        project: Project of W&B.

    Returns:
        The runs with new measurements.

    Raises:
        ConfigError: The tracker is unknown or not installed, or does not accept the folder or
            project.
    """
    if tracker not in TRACKERS:
        raise ConfigError("tracker", tracker, f"Give one of {', '.join(TRACKERS)}.")
    out = Path(out)
    if (place := str(out.absolute())) != storable(place):
        raise ConfigError("to", place, "Trackers need a path in UTF-8. Give another --to.")
    notes = _read_notes(out / NOTES)
    target = f"wandb {project}" if tracker == "wandb" else tracker
    new = list[RunFolder[Any]]()
    for run in runs:
        if tracker == "wandb" and run.read_status() not in ENDED:
            continue
        moments, identity = list(_moments(run)), _identity(run)
        key = f"{target} {identity}"
        copied = notes.get(key, 0)
        if len(moments) <= copied:
            continue
        try:
            TRACKERS[tracker](run, identity, moments[copied:], out, project)
        except ImportError:
            raise ConfigError(
                "tracker",
                tracker,
                f"It is not installed. In a checkout: pip install -e '.[{tracker}]'.",
            ) from None
        new.append(run)
        notes[key] = len(moments)
        with atomic_write(out / NOTES) as temporary:
            temporary.write_text(json.dumps(notes, indent=1) + "\n")
    return new


Moment = tuple[int, dict[str, float]]
"""An epoch, or the index of a measurement, and the values measured there by name."""


def _moments(run: RunFolder[Any]) -> Iterator[Moment]:
    """Yield a run's measurements in order; names are set/quantity or set/quantity/group."""
    rows = run.records().to_pylist()
    by_moment: dict[Any, dict[str, float]] = defaultdict(dict)
    for row in rows:
        group = row.get("group", "all")
        name = visible(f"{row['set']}/{row['quantity']}{'' if group == 'all' else f'/{group}'}")
        by_moment[row["epoch"] if "epoch" in row else row["time"]][name] = row["value"]
    for number, (at, values) in enumerate(sorted(by_moment.items())):
        if "epoch" in rows[0]:
            yield at, values
        else:
            yield number, {"run/time": at, **values}


def _to_tensorboard(
    run: RunFolder[Any], identity: str, moments: Sequence[Moment], out: Path, project: str
) -> None:
    """Write event files; TensorBoard shows those of one folder as one run."""
    import tensorboard  # noqa: F401 - torch's own error does not name the missing package
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(out / _name(run, identity))) as writer:
        if moments[0][0] <= 1:
            described = yaml.safe_dump({"labels": run.labels, "settings": run.config.to_dict()})
            writer.add_text("settings", "    " + described.replace("\n", "\n    "))
        for step, values in moments:
            for name, value in values.items():
                writer.add_scalar(name, value, step)


def _to_wandb(
    run: RunFolder[Any], identity: str, moments: Sequence[Moment], out: Path, project: str
) -> None:
    """Write an offline run for ``wandb sync``, with the identity of the run folder."""
    import wandb
    from wandb.errors import UsageError

    out.mkdir(parents=True, exist_ok=True)
    try:
        tracked = wandb.init(
            mode="offline",
            dir=str(out),
            project=project,
            id=identity,
            name=_name(run, identity),
            group=_short(visible(run.labels.get("experiment", ""))) or None,
            tags=[run.read_status()],
            config=_visible_words(flatten({**run.config.to_dict(), "labels": run.labels})),
            settings=wandb.Settings(silent=True, console="off"),
        )
    except UsageError as error:
        raise ConfigError("project", project, f"W&B refuses it: {one_line(error)}.") from error
    for step, values in moments:
        tracked.log(values, step=step)
    tracked.finish()


TRACKERS: dict[str, Callable[[RunFolder[Any], str, Sequence[Moment], Path, str], None]] = {
    "tensorboard": _to_tensorboard,
    "wandb": _to_wandb,
}
"""Writers of a run's measurements, by tracker."""


def _name(run: RunFolder[Any], identity: str) -> str:
    """Return a unique, descriptive name of a run that is also a valid folder name."""
    label = _short(visible(label_of(run)).replace("/", "_"))
    return f"{label}, seed {run.config.seed} ({identity})"


def _visible_words(values: Any) -> Any:
    """Return nested values with :func:`visible` text."""
    if isinstance(values, dict):
        return {visible(name): _visible_words(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_visible_words(value) for value in values]
    return visible(values, keep="\n") if isinstance(values, str) else values


def _short(label: str) -> str:
    """Return a label, truncated if it is long.

    >>> _short("large"), len(_short("η" * 100).encode())
    ('large', 83)
    """
    encoded = label.encode()
    if len(encoded) <= _LONGEST_LABEL:
        return label
    return f"{encoded[:_LONGEST_LABEL].decode(errors='ignore')}…"


def _identity(run: RunFolder[Any]) -> str:
    """Return a digest that is unique to a run, also among runs in the same folder over time."""
    manifest = run.read_manifest()
    config = json.dumps(manifest["config"], sort_keys=True)  # the same in later versions
    text = f"{run.path.resolve()} {manifest['created']} {config}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()


def _read_notes(path: Path) -> dict[str, int]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            "to",
            str(path),
            f"Its notes cannot be read ({error}). Remove the folder and copy again.",
        ) from error
