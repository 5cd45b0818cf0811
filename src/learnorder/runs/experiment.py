"""What a folder of runs is of: ``experiment.json``, with the command that made it and its settings.

A folder gets the file before its first run. Commands read it: each refuses a folder of another, and
``report``, ``runs`` and :func:`~learnorder.runs.opening.open_runs` show what the command showed.
Folders of versions without the file are known by what else they hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.manifest import read_manifest
from learnorder.runs.sealed import read_sealed, write_sealed
from learnorder.values import Built, from_dict

FILE = "experiment.json"
FORMAT = 1
_NEWER = "It is of a newer version of learnorder. Update learnorder."


@dataclass(frozen=True)
class ExperimentType:
    """A type of experiment.

    Attributes:
        name: As experiment.json has it, and the label ``experiment`` of its runs.
        command: The command that makes it.
        what: What it is, in words.
        result: Import path of the class of its result; None is that of its runs' results.
        open: Import path of what opens it: called with the folder and the settings, it returns the
            result, runs nothing and writes nothing. None opens its runs, as any.
        write: Import path of what writes its pages: called with the result and the folder.
        known_by: A file of it, by which folders of versions without experiment.json are known.
    """

    name: str
    command: str
    what: str
    result: str | None = None
    open: str | None = None
    write: str | None = None
    known_by: str | None = None


TYPES = {
    each.name: each
    for each in (
        ExperimentType("patch", "patch", "a patch experiment"),
        ExperimentType("plain", "plain", "an experiment on images without a patch"),
        ExperimentType("unpatched", "reproduce", "an experiment on images without a patch"),
        ExperimentType("train", "train", "a single run"),
        ExperimentType("theory", "theory run", "an experiment of the theory"),
        ExperimentType("phase", "theory phase", "a phase diagram of the theory"),
        ExperimentType("sweep", "sweep", "a sweep"),
        ExperimentType(
            name="probe",
            command="probe",
            what="a probe",
            result="learnorder.probe.result.ProbeResult",
            open="learnorder.probe.opening.open_probe",
            write="learnorder.probe.page.write_probe",
            known_by="probe.json",
        ),
        ExperimentType(
            name="probes",
            command="sweep --experiment probe",
            what="a sweep of probes",
            result="builtins.dict",
            open="learnorder.probe.opening.open_probes",
            write="learnorder.probe.compare_page.write_probes",
        ),
        ExperimentType(
            name="advise",
            command="advise",
            what="a search for a learning rate",
            result="learnorder.advise.result.Advice",
            open="learnorder.advise.run.open_search",
            write="learnorder.advise.page.write_advice",
            known_by="search.json",
        ),
        ExperimentType(
            name="reproduce",
            command="reproduce",
            what="a reproduction of the paper",
            result="learnorder.reproduce.claim.ReproductionResult",
            open="learnorder.reproduce.run.open_reproduction",
            write="learnorder.reproduce.page.write_reproduction",
            known_by="claims.json",
        ),
    )
}
"""All types of experiments: one more is one entry here."""


@dataclass(frozen=True)
class Experiment:
    """What a folder is of.

    Attributes:
        type: Name of its :class:`ExperimentType`.
        settings: What it was made with, as JSON; None in folders of older versions.
        version: Of learnorder, that wrote it.
        format: Of the file.
    """

    type: str
    settings: dict[str, Any] | None = None
    version: str = field(default_factory=lambda: version("learnorder"))
    format: int = FORMAT

    def of(self) -> ExperimentType:
        """Return its type."""
        return TYPES[self.type]

    def check(self, folder: Path) -> None:
        """Refuse a folder that holds an experiment of another type.

        Raises:
            RunFolderError: It does.
        """
        there = read_experiment(folder)
        if there is not None and there.type != self.type:
            raise RunFolderError(
                f"{folder}: holds {there.of().what} (`learnorder {there.of().command}`), not "
                f"{self.of().what}. Choose another folder with --out."
            )

    def write(self, folder: Path) -> None:
        """Write the file, in place of one with older settings.

        Raises:
            RunFolderError: It cannot be written.
        """
        there = _read_file(folder)
        if there is None or (there.type, there.settings) != (self.type, self.settings):
            values = {"format": FORMAT, "type": self.type, "version": self.version}
            write_sealed(folder / FILE, {**values, "settings": self.settings})


def read_experiment(folder: Path | str) -> Experiment | None:
    """Return what a folder is of, None where it is no folder of an experiment.

    Raises:
        RunFolderError: Its file is damaged, or of a newer version.
    """
    folder = Path(folder)
    if (there := _read_file(folder)) is not None:
        return there
    for each in TYPES.values():
        if each.known_by is not None and (folder / each.known_by).is_file():
            return Experiment(each.name)
    return _of_runs(folder)


def _read_file(folder: Path) -> Experiment | None:
    there = read_sealed(folder / FILE, Experiment)
    if there is not None and (there.format > FORMAT or there.type not in TYPES):
        raise RunFolderError(f"{folder / FILE}: {_NEWER}")
    return there


def _of_runs(folder: Path) -> Experiment | None:
    """Return what the runs right within a folder are of, or a run of its own, by their labels."""
    for manifest in (folder / "manifest.json", *sorted(folder.glob("*/manifest.json"))):
        try:
            name = read_manifest(manifest.parent)["labels"].get("experiment", "")
        except RunFolderError:  # missing, or damaged: whoever reads the runs says so
            continue
        if name != "train" or manifest.parent == folder:  # a single run may lie beside any others
            return Experiment(name) if name in TYPES else None
    return None


def settings_as(kind: type[Built], settings: dict[str, Any], folder: Path) -> Built:
    """Return an experiment's settings as the dataclass that they were.

    Raises:
        RunFolderError: They have a name or a value that this version does not know.
    """
    try:
        return from_dict(kind, settings)
    except ConfigError as error:
        raise RunFolderError(
            f"{folder / FILE}: it has other settings than this version of learnorder ({error})."
        ) from None
