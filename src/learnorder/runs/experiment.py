"""The experiment of a folder of runs: ``experiment.json``, with its type and settings.

The file is written before the first run. A command refuses the folder of another experiment, and
``report``, ``runs`` and :func:`~learnorder.runs.opening.open_runs` show what the command showed.
Folders of older versions, without the file, are recognised by their other files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.kinds import load_named
from learnorder.runs.manifest import read_manifest
from learnorder.runs.sealed import read_sealed, write_sealed
from learnorder.values import Built, from_dict

FILE = "experiment.json"
FORMAT = 1


@dataclass(frozen=True)
class ExperimentType:
    """A type of experiment.

    Attributes:
        name: Its name in experiment.json, and the label ``experiment`` of its runs.
        command: The command that creates it.
        what: A noun phrase for messages.
        result: Import path of its result's class; None is the class of its runs' results.
        open: Import path of a function of the folder and the settings that returns the result,
            without running or writing anything. None opens its runs.
        write: Import path of a function of the result and the folder that writes the report.
        findings: Import path of a function of the result that returns its findings in sentences.
        known_by: A file by which folders of versions without experiment.json are recognised.
    """

    name: str
    command: str
    what: str
    result: str | None = None
    open: str | None = None
    write: str | None = None
    findings: str | None = None
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
            findings="learnorder.probe.page.probe_findings",
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
            findings="learnorder.advise.words.advice_findings",
            known_by="search.json",
        ),
        ExperimentType(
            name="judged",
            command="advise --from",
            what="a judgement of existing runs",
            result="learnorder.advise.existing.result.JudgedRuns",
            open="learnorder.advise.existing.run.open_judged",
            write="learnorder.advise.existing.page.write_judged",
            findings="learnorder.advise.existing.words.judged_findings",
        ),
        ExperimentType(
            name="along",
            command="advise --along",
            what="learning rates along a setting",
            result="learnorder.advise.along.result.AlongResult",
            open="learnorder.advise.along.run.open_along",
            write="learnorder.advise.along.page.write_along",
            findings="learnorder.advise.along.words.along_findings",
        ),
        ExperimentType(
            name="jointly",
            command="advise --jointly",
            what="a search for a learning rate and another setting",
            result="learnorder.advise.jointly.result.JointResult",
            open="learnorder.advise.jointly.run.open_jointly",
            write="learnorder.advise.jointly.page.write_jointly",
            findings="learnorder.advise.jointly.words.joint_findings",
        ),
        ExperimentType(
            name="reproduce",
            command="reproduce",
            what="a reproduction of the paper",
            result="learnorder.reproduce.result.ReproductionResult",
            open="learnorder.reproduce.run.open_reproduction",
            write="learnorder.reproduce.page.write_reproduction",
            findings="learnorder.reproduce.page.summary",
            known_by="claims.json",
        ),
        ExperimentType(
            name="paper",
            command="reproduce --paper",
            what="a test of the claims of a later paper",
            result="learnorder.reproduce.result.ReproductionResult",
            open="learnorder.reproduce.papers.run.open_paper",
            write="learnorder.reproduce.page.write_reproduction",
            findings="learnorder.reproduce.page.summary",
        ),
    )
}
"""All types of experiments by name."""


@dataclass(frozen=True)
class Experiment:
    """The content of experiment.json.

    Attributes:
        type: Name of its :class:`ExperimentType`.
        settings: Its settings as plain values; None in folders of older versions.
        version: Version of learnorder that wrote the file.
        format: Version of the file's format.
    """

    type: str
    settings: dict[str, Any] | None = None
    version: str = field(default_factory=lambda: version("learnorder"))
    format: int = FORMAT

    def of(self) -> ExperimentType:
        """Return its type.

        Raises:
            ValueError: ``TYPES`` has no such type.
        """
        if self.type not in TYPES:
            raise ValueError(f"{self.type!r} has no entry in learnorder.runs.experiment.TYPES.")
        return TYPES[self.type]

    def check(self, folder: Path) -> None:
        """Check that a folder has no experiment of another type.

        Raises:
            RunFolderError: It has one.
        """
        this, other = self.of(), read_experiment(folder)
        if other is not None and other.type != self.type:
            raise RunFolderError(
                f"{folder}: contains {other.of().what} (`learnorder {other.of().command}`), not "
                f"{this.what}. Choose another folder with --out."
            )

    def write(self, folder: Path) -> None:
        """Write the file, unless it has the same type and settings.

        Raises:
            RunFolderError: It cannot be written.
        """
        former = _read_file(folder)
        if former is None or (former.type, former.settings) != (self.type, self.settings):
            values = {"format": FORMAT, "type": self.type, "version": self.version}
            write_sealed(folder / FILE, {**values, "settings": self.settings})


def read_experiment(folder: Path | str) -> Experiment | None:
    """Return the experiment of a folder, None if it has none.

    Raises:
        RunFolderError: experiment.json is damaged, or of a newer version.
    """
    folder = Path(folder)
    if (experiment := _read_file(folder)) is not None:
        return experiment
    for kind in TYPES.values():
        if kind.known_by is not None and (folder / kind.known_by).is_file():
            return Experiment(kind.name)
    return _of_runs(folder)


def _read_file(folder: Path) -> Experiment | None:
    experiment = read_sealed(folder / FILE, Experiment)
    if experiment is not None and (experiment.format > FORMAT or experiment.type not in TYPES):
        raise RunFolderError(
            f"{folder / FILE}: It is of a newer version of learnorder. Update learnorder."
        )
    return experiment


def _of_runs(folder: Path) -> Experiment | None:
    """Return the experiment in the labels of a run folder, or of the runs directly in a folder."""
    for manifest in (folder / "manifest.json", *sorted(folder.glob("*/manifest.json"))):
        try:
            name = read_manifest(manifest.parent)["labels"].get("experiment", "")
        except RunFolderError:  # missing, or damaged: whoever reads the runs says so
            continue
        if name != "train" or manifest.parent == folder:  # a single run may be beside any others
            return Experiment(name) if name in TYPES else None
    return None


def findings_of(name: str, result: Any) -> list[str]:
    """Return the findings of the result of an experiment, by the name of its type."""
    path = TYPES[name].findings
    return [] if path is None else load_named(path)(result)


def settings_as(kind: type[Built], settings: dict[str, Any], folder: Path) -> Built:
    """Return an experiment's settings as a dataclass.

    Raises:
        RunFolderError: This version does not know one of the names or values.
    """
    try:
        return from_dict(kind, settings)
    except ConfigError as error:
        raise RunFolderError(
            f"{folder / FILE}: settings of another version of learnorder ({error})."
        ) from None
