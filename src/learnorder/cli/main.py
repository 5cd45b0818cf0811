"""Dispatch to a command; report errors as one paragraph and an exit code."""

from __future__ import annotations

import errno
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from learnorder.errors import LearnOrderError
from learnorder.execution.machine import SLEEPING_THREADS, VISIBLE_GPUS, unless_set

COMMANDS = {
    "reproduce": (
        "reproduce.command",
        "run the experiments that test the paper's claims, with a verdict on each",
    ),
    "patch": (
        "images.patch_command",
        "plant a memorisable patch; compare large LR, small LR, small LR + noise",
    ),
    "plain": (
        "images.plain_command",
        "the same arms on unmodified images (the paper's Figure 1 and Table 1)",
    ),
    "probe": (
        "probe.command",
        "what your network learns first from your images, and what it relies on",
    ),
    "advise": (
        "advise.command",
        "which initial learning rate is best after annealing, for any model and data",
    ),
    "train": (
        "images.train_command",
        "train one run, of any arm or with your own settings",
    ),
    "sweep": (
        "sweep.command",
        "run a grid of settings on several seeds",
    ),
    "work": (
        "cli.work",
        "execute prepared runs, on any number of machines",
    ),
    "retrain": (
        "retrain.command",
        "retrain the last layer of finished runs: not learned, or learned but unused?",
    ),
    "theory": (
        "theory.command",
        "run the two-layer theory: order, cost, phase diagrams, an interactive page",
    ),
    "report": (
        "cli.report",
        "build the HTML report of existing runs",
    ),
    "runs": (
        "cli.runs",
        "list, show, compare or delete runs",
    ),
    "query": (
        "cli.query",
        "query all runs with SQL",
    ),
    "track": (
        "cli.track",
        "copy runs to TensorBoard or Weights & Biases",
    ),
}
"""The module of each command, below learnorder, and a description."""

USAGE = """\
usage: learnorder COMMAND [options]

What does my network learn first, how does the learning rate decide that, and what does it cost in
generalisation?

commands:
{commands}

start here:
  learnorder reproduce                 does the paper hold up? On digits, about five minutes
  learnorder patch                     the effect on small images, about two minutes
  learnorder probe                     the effect in your own network and images (default: digits)
  learnorder advise                    the best learning rate for your model and data
  learnorder theory run                the theory, 15 seconds
  learnorder patch --scale laptop      on CIFAR-10, about half an hour on two cores
  learnorder patch --dry-run           what it would cost on this machine
  learnorder COMMAND --help            all options of a command

Results are written to runs/ in the current folder. To continue after a stop, give the same command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Exit codes: 0 done, 1 some runs failed, 2 invalid input, 3 run in use, 128 + n stopped by
    signal n.
    """
    _escape_output()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(len(command) for command in COMMANDS)
        listed = "\n".join(
            f"  {command:{width}}  {text}" for command, (_, text) in COMMANDS.items()
        )
        print(USAGE.format(commands=listed), end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"learnorder {version('learnorder')}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        print(
            f"learnorder: no command {command!r}. Give one of {', '.join(COMMANDS)}.",
            file=sys.stderr,
        )
        return 2
    if os.environ.get("WORLD_SIZE", "1") != "1":
        print(
            f"learnorder {command}: a launcher started this as one of {os.environ['WORLD_SIZE']} "
            "processes (WORLD_SIZE). Start the command once. --processes trains a run in several "
            "processes; on several machines, make the run with --prepare and let the launcher "
            "start `-m learnorder.runs.execute FOLDER`.",
            file=sys.stderr,
        )
        return 2
    os.environ.update(unless_set(SLEEPING_THREADS))
    sys.path.insert(0, str(Path.cwd()))  # so that import paths of the user's own code work
    gpus = os.environ.get(VISIBLE_GPUS)
    try:
        return importlib.import_module(f"learnorder.{COMMANDS[command][0]}").main(rest)
    except LearnOrderError as error:
        _print_error(command, error)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"learnorder {command}: stopped before any run began.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _print_error(command, f"{error.filename}: the path is too long. Give a shorter one.")
        return 2
    finally:  # --devices changes it for this command
        os.environ.pop(VISIBLE_GPUS, None)
        os.environ.update({} if gpus is None else {VISIBLE_GPUS: gpus})


class _VisibleFormatter(logging.Formatter):
    """Formats log records with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        from learnorder.runs.plain_text import visible

        return visible(super().format(record), keep="\n")


def _escape_output() -> None:
    """Escape characters that the streams cannot encode, and control characters in warnings."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:  # prints warnings if logging is not configured
        logging.lastResort.setFormatter(_VisibleFormatter())


def _print_error(command: str, error: object) -> None:
    from learnorder.runs.plain_text import visible

    print(visible(f"learnorder {command}: {error}"), file=sys.stderr)
