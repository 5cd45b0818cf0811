"""``learnorder report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from learnorder.cli import options
from learnorder.cli.parser import Parser, parse

DESCRIPTION = """\
Build the HTML report of existing runs. The folder of a probe, a search or a reproduction gets that
command's report; for other folders, the report shows every run in them and their subfolders.

  learnorder report runs/patch-demo
  learnorder report runs/a runs/b --out both.html      runs of several experiments, side by side
  learnorder report runs/probe --out runs.html         only the runs of a probe, without verdicts
  learnorder report runs/patch-demo --movie            movie.html: watch the networks learn, of runs
                                                       on images with --training.snapshots 32
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("report", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    parser.flag(
        "--movie",
        help="Write an interactive page to scrub through the epochs instead: movie.html in the "
        "first folder, or the file of --out.",
    )
    values = parse(parser, arguments)
    from learnorder.report.page import write_report
    from learnorder.runs.opening import open_runs
    from learnorder.runs.plain_text import visible

    if values["movie"]:
        return write_movie(values)
    out = options.page_of(values)
    if write_experiment(values):
        print(visible(f"Report: {out}"))
        return 0
    results = open_runs(*values["runs"])
    write_report(results, out)
    return options.finish(results, out)


def write_movie(values: dict[str, Any]) -> int:
    """Write the movie of the runs in some folders; return the exit code.

    Raises:
        ConfigError: They are not runs on images.
        RunFolderError: No finished run has kept snapshots, or they do not go together.
    """
    from learnorder.errors import ConfigError
    from learnorder.runs.kinds import kind_named, load_named
    from learnorder.runs.opening import open_runs
    from learnorder.runs.plain_text import visible

    results = open_runs(*values["runs"])
    kind = kind_named(results.folders[0].kind)
    if not kind.movie:
        raise ConfigError(
            "movie",
            True,
            f"It shows images with and without a pattern, and these are runs of the kind "
            f"{kind.name}. Give folders of runs on images, or leave out --movie. Images of your "
            "own go to learnorder patch with --data function:PATH, --model.name and "
            "--training.snapshots 32.",
        )
    out = Path(values["out"] or Path(values["runs"][0]) / "movie.html")
    print(visible(f"Movie: {load_named(kind.movie)(results, out)}"))
    return 0


def write_experiment(values: dict[str, Any]) -> bool:
    """Write the report of the experiment in the only folder, if it has a report of its own.

    Args:
        values: Those of :func:`~learnorder.cli.options.add_run_folders`.

    Returns:
        Whether it was written; it is not if there is an ``--out``.

    Raises:
        RunFolderError: Runs of the experiment are missing or have not ended.
    """
    from learnorder.runs.experiment import read_experiment
    from learnorder.runs.kinds import load_named
    from learnorder.runs.opening import open_experiment

    folders = values["runs"]
    if len(folders) != 1 or values["out"] is not None:
        return False
    experiment = read_experiment(folders[0])
    if experiment is None or (path := experiment.of().write) is None:
        return False
    load_named(path)(open_experiment(folders[0], experiment), Path(folders[0]))
    return True
