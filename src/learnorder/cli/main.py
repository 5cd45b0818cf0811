"""Dispatch to a command, and turn errors into one paragraph and an exit code."""

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

COMMANDS = {
    "reproduce": (
        "reproduce.command",
        "run what decides the paper's claims, and give a verdict on each",
    ),
    "patch": (
        "images.patch_command",
        "plant a memorisable patch; compare large LR, small LR, small LR + noise",
    ),
    "plain": (
        "images.plain_command",
        "the same arms on images as they are (the paper's Figure 1 and Table 1)",
    ),
    "probe": (
        "probe.command",
        "your network, your images: what is learned first, and what it relies on",
    ),
    "advise": (
        "advise.command",
        "which initial learning rate is best after annealing, for any model and data",
    ),
    "train": (
        "images.train_command",
        "make one run, of any arm or of your own settings",
    ),
    "sweep": (
        "sweep.command",
        "run a grid over named settings and seeds; settings are chosen this way",
    ),
    "work": (
        "cli.work",
        "make prepared runs: start it as often as you have machines",
    ),
    "retrain": (
        "retrain.command",
        "retrain the last layer of finished runs: was it learned, or only used?",
    ),
    "theory": (
        "theory.command",
        "run the two-layer theory: order, cost and phase diagrams",
    ),
    "report": (
        "cli.report",
        "build the HTML page of runs that were made",
    ),
    "runs": (
        "cli.runs",
        "list runs, show one, tell two apart, delete some",
    ),
    "query": (
        "cli.query",
        "ask an SQL question of all runs",
    ),
    "track": (
        "cli.track",
        "copy runs to TensorBoard or Weights & Biases",
    ),
}
"""Where each command is, below learnorder, and what it does."""

USAGE = """\
usage: learnorder COMMAND [options]

What does my network learn first, how does the learning rate decide that, and what does it cost in
generalisation?

commands:
{commands}

start here:
  learnorder reproduce                 does the paper hold? In about five minutes, on digits
  learnorder patch                     the effect on small images, in about two minutes
  learnorder probe                     the same of your own network and images; on digits first
  learnorder advise                    which learning rate for your model and data
  learnorder theory run                the theory behind it, in 15 seconds
  learnorder patch --scale laptop      on CIFAR-10, about half an hour on two cores
  learnorder patch --dry-run           what it would cost on this machine
  learnorder COMMAND --help               all options of a command

Results go to runs/ below the folder you are in. The same command continues what was stopped.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Exit codes: 0 done, 1 some runs failed, 2 something to correct, 128 + n stopped by signal n.
    """
    _print_anything()
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
            f"learnorder: no command {command!r}. There are {', '.join(COMMANDS)}.", file=sys.stderr
        )
        return 2
    if os.environ.get("WORLD_SIZE", "1") != "1":
        print(
            f"learnorder {command}: this is one of {os.environ['WORLD_SIZE']} processes of a "
            "launcher (WORLD_SIZE). Start the command once: --processes lets several train a run, "
            "and on several machines the launcher starts `-m learnorder.runs.execute FOLDER` of a "
            "run that --prepare has made.",
            file=sys.stderr,
        )
        return 2
    sys.path.insert(0, str(Path.cwd()))  # so that import paths of the user's own code work
    try:
        return importlib.import_module(f"learnorder.{COMMANDS[command][0]}").main(rest)
    except LearnOrderError as error:
        _complain(command, error)
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
        _complain(command, f"{error.filename}: longer than a path can be. Give a shorter one.")
        return 2


class _VisibleFormatter(logging.Formatter):
    """Log records without what a terminal would obey in them."""

    def format(self, record: logging.LogRecord) -> str:
        from learnorder.runs.plain_text import visible

        return visible(super().format(record), keep="\n")


def _print_anything() -> None:
    """Let no text that is printed fail: not in any encoding, and not with any characters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:  # what prints warnings where nobody has set up logging
        logging.lastResort.setFormatter(_VisibleFormatter())


def _complain(command: str, error: object) -> None:
    from learnorder.runs.plain_text import visible

    print(visible(f"learnorder {command}: {error}"), file=sys.stderr)
