"""How many modules does one batch pass through, and how large is the code?

``python -m studies.count_modules`` takes one training step of the experiment ``patch`` at demo
scale and prints the modules of learnorder whose functions are called in it: in the step, and in the
making of the data and the trainer before it. It then counts lines of source. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType

import learnorder
from learnorder.data import load_images
from learnorder.training.image_problem import image_trainer
from studies.common import ROOT

LONGEST = 400
"""Lines that a file may have."""


@contextmanager
def called_modules() -> Iterator[set[str]]:
    """Give a set that gathers the modules of learnorder whose functions are called."""
    found = set[str]()

    def note(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.partition(".")[0] == "learnorder":
            found.add(name)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def modules_of_one_step() -> tuple[set[str], set[str]]:
    """Return the modules called in making data and trainer, and in one training step."""
    config = learnorder.recipe("demo").run("small_noise", 0)
    with called_modules() as made:
        trainer = image_trainer(config, load_images(config.data))
    with closing(trainer), called_modules() as stepped:
        trainer.run(stop=lambda _: True, epoch_ended=lambda _: None)
    return made, stepped


def main() -> None:
    """Count, and print."""
    made, stepped = modules_of_one_step()
    for title, names in (("making data and trainer", made), ("one training step", stepped)):
        print(f"{title}: {len(names)} modules", *sorted(names), sep="\n  ")
    files = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "src").rglob("*.py*")
        if path.suffix in (".py", ".pyi")
    }
    long = {name: lines for name, lines in files.items() if lines > LONGEST}
    for name, lines in long.items():
        print(f"{name}: {lines} lines")
    counts = {"making": len(made), "step": len(stepped), "together": len(made | stepped)}
    print(json.dumps({**counts, "source_lines": sum(files.values()), "files_over_400": len(long)}))


if __name__ == "__main__":
    main()
