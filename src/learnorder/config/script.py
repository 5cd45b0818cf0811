"""The settings of a user's own training script, and of one run of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from learnorder.config.importing import import_object
from learnorder.config.score_names import check_direction
from learnorder.errors import ConfigError, did_you_mean
from learnorder.values import check_fields, from_dict, to_dict

SET_BY_SEARCH = {
    "learning_rate": "the initial learning rate",
    "seed": "the seed of the run",
    "epochs": "the length of the run",
    "plateau_epochs": "the epochs before the learning rate is lowered",
    "final_learning_rate": "the learning rate after that, the smallest of the grid",
    "noise": "the initial standard deviation of activation noise",
    "out": "a folder for the run's own files",
}
"""Names that a search gives values, and what they stand for."""
REQUIRED = ("learning_rate", "seed")

_NAME = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A name in braces; ${NAME} is a variable of the shell."""
_SHELL = re.compile(r"""\\[\\'"$]|\$\(|["')]|(?<!\$)\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}""")
"""What matters for the quotes in a shell's command: escapes, $( ), quotes, and names in braces."""
_CONTROL = {"|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1", "2>"}
_FUNCTION = (
    "Give the import path of a function (learning_rate, seed, ...) -> score, e.g. my_script.train."
)


@dataclass(frozen=True)
class ScriptConfig:
    """A training script of any framework: a command, or a Python function.

    Exactly one of ``command``, ``function`` and ``given`` is set. The score is read from the JSON
    file ``score_file``, from the only match of ``score``, from the last match of ``curve``, or
    else from the last line of the standard output: a number, or a JSON object with ``score_key``.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.

    >>> ScriptConfig("python train.py --lr {learning_rate} --seed {seed}").names()
    ('learning_rate', 'seed')
    """

    command: str | None = None
    """The command, with names in braces: {learning_rate} and {seed}; usually {epochs}, without
    which the search has a single rung; optionally {plateau_epochs} and {final_learning_rate} for a
    plateau and the learning rate after it, {noise}, {out} (a folder for the run's own files), and
    the names in script.values. Other braces stay as they are."""
    function: str | None = None
    """In place of a command, the import path of a Python function that takes those of the same
    names it has as parameters, and returns the score, the scores of all epochs in a list, or a
    mapping with score_key."""
    values: dict[str, Any] = field(default_factory=dict)
    """Values of other names in the command, or parameters of the function, e.g.
    {weight_decay: 0.1}."""
    shell: bool = False
    """Whether a shell reads the command, for pipes, redirections and variables. Otherwise it is
    split into words and executed directly."""
    score_name: str = "score"
    """Name of the score, e.g. accuracy, which is a share in [0, 1]."""
    higher_is_better: bool = True
    """Whether higher scores are better."""
    score: str | None = None
    """Regular expression with one group, the score. It must match once in all that the command
    prints."""
    curve: str | None = None
    """Regular expression with one group, the score after an epoch. Every match in what the command
    prints is a point of the curve, and the last one is the final score."""
    score_file: str | None = None
    """JSON file with the score, relative to the folder {out}, e.g. metrics.json."""
    score_key: str = "score"
    """Key of the score in score_file, or in a JSON object on the last line; dots separate levels.
    Its value is a number, or a list with a number for each epoch."""
    timeout_minutes: float | None = None
    """Time after which a run is stopped, without a score; null means no limit."""
    given: str | None = None
    """Fingerprint of a function passed in Python instead of a path; set automatically."""
    parameters: tuple[str, ...] | None = None
    """Names that the function takes; set automatically."""

    def __post_init__(self) -> None:
        check_fields(self, "script")
        ways = ("command", "function", "given")
        several = [name for name in ways if getattr(self, name) is not None]
        if len(several) > 1:
            raise ConfigError(
                f"script.{several[0]}", getattr(self, several[0]),
                f"Give either script.{several[0]} or script.{several[1]}, not both.",
            )  # fmt: skip
        self._check_reading()
        if self.timeout_minutes is not None and not self.timeout_minutes > 0:
            raise ConfigError(
                "script.timeout_minutes", self.timeout_minutes, "Give a time above 0, or null."
            )
        for name in self.values:
            if name in SET_BY_SEARCH:
                raise ConfigError(
                    f"script.values.{name}", self.values[name],
                    f"The search sets it: {SET_BY_SEARCH[name]}. Remove it.",
                )  # fmt: skip
        if self.command is not None:
            self._check_command(self.command)
        if self.score_file is not None:
            path = PurePath(self.score_file)
            if path.is_absolute() or ".." in path.parts or "out" not in self.names():
                raise ConfigError(
                    "script.score_file", self.score_file, "Every run needs a file of its own: give "
                    "its name, and {out}, the folder for it, in the command, e.g. --out {out}.",
                )  # fmt: skip

    def _check_reading(self) -> None:
        """Check the score's name, and how it is read: in one way, by patterns with one group."""
        if not self.score_name:
            raise ConfigError("script.score_name", "", "Give a name, e.g. accuracy.")
        check_direction("script", self.score_name, self.higher_is_better)
        ways = [n for n in ("score", "curve", "score_file") if getattr(self, n) is not None]
        if len(ways) > 1:
            raise ConfigError(
                f"script.{ways[0]}", getattr(self, ways[0]),
                f"The score can be read in one way only: give it or script.{ways[1]}.",
            )  # fmt: skip
        if self.command is None:
            for name in (*ways, *(["timeout_minutes"] if self.timeout_minutes else [])):
                raise ConfigError(
                    f"script.{name}", getattr(self, name), "It is for a command; a function "
                    "returns its score." if name in ways else "It is for a command."
                )  # fmt: skip
        for name in ("score", "curve"):
            if (text := getattr(self, name)) is None:
                continue
            try:
                groups = re.compile(text).groups
            except re.error as error:
                raise ConfigError(
                    f"script.{name}", text, f"It is not a regular expression: {error}."
                ) from None
            if groups != 1:
                raise ConfigError(
                    f"script.{name}", text, f"It has {groups} groups. Give one, around the number, "
                    r"e.g. 'val_acc: ([\d.]+)'; (?:...) is not counted."
                )  # fmt: skip

    def _check_command(self, command: str) -> None:
        """Check the words and the names of a command."""
        words = self.words()
        if not words:
            raise ConfigError("script.command", command, "It is empty.")
        if not self.shell:
            control = next((word for word in words if word in _CONTROL), None)
            if control is not None:
                raise ConfigError(
                    "script.command", command,
                    f"{control} is for a shell. Give --script.shell true, or leave it out: what "
                    "each run prints is kept in its folder.",
                )  # fmt: skip
            if re.match(r"[A-Za-z_]\w*=", words[0]):
                raise ConfigError(
                    "script.command", command,
                    f"To set a variable, write env {words[0]} ..., or give --script.shell true.",
                )  # fmt: skip
        check_names(names_in(command), self.values, "script.command", command, braces=True)

    def words(self) -> list[str]:
        """Return the words of the command, with names in braces.

        Raises:
            ConfigError: A quotation is not closed.
        """
        try:
            return shlex.split(self.command or "")
        except ValueError as error:
            raise ConfigError(
                "script.command", self.command, f"{error}. Close all quotes."
            ) from None

    @property
    def is_set(self) -> bool:
        """Whether there is a script."""
        return any(part is not None for part in (self.command, self.function, self.given))

    @property
    def title(self) -> str:
        """The script in words."""
        return self.command or self.function or "a function passed in Python"

    def names(self) -> tuple[str, ...]:
        """Return the names that the script takes, in order of appearance.

        Raises:
            ValueError: It is a function whose parameters have not been read.
        """
        if self.command is not None:
            return names_in(self.command)
        if self.parameters is None:
            raise ValueError("the parameters of the function have not been read")
        return self.parameters

    def arguments(self, values: Mapping[str, Any]) -> list[str]:
        """Return the words of the command with the values of all names.

        >>> script = ScriptConfig("train --lr={learning_rate} {seed}")
        >>> script.arguments({"learning_rate": 0.1, "seed": 3})
        ['train', '--lr=0.1', '3']
        """
        assert self.command is not None
        if self.shell:
            texts = {name: shlex.quote(text_of(value)) for name, value in values.items()}
            return ["/bin/sh", "-c", _filled_in_shell(self.command, texts)]
        texts = {name: text_of(value) for name, value in values.items()}
        return [_filled(word, texts) for word in self.words()]


def check_names(
    names: Collection[str],
    values: Mapping[str, Any],
    field: str,
    value: object,
    *,
    braces: bool,
    optional: Collection[str] = (),
) -> None:
    """Check that the names of a command or function are known, and that none is missing.

    Args:
        names: The names that it takes.
        values: The values of those that a search does not set.
        field: The setting, for the error.
        value: Its value, for the error.
        braces: Whether names are written in braces.
        optional: Names that may stay without a value.

    Raises:
        ConfigError: A name is unknown or missing.
    """
    known = [*SET_BY_SEARCH, *values]
    form = "{%s}" if braces else "%s"
    for name in REQUIRED:
        if name not in names:
            raise ConfigError(
                field, value, f"It does not take {form % name}, {SET_BY_SEARCH[name]}. Add it, e.g."
                + (" --lr {learning_rate} --seed {seed}; for a script that reads its seed from a "
                   "variable, env SEED={seed} python train.py ..." if braces
                   else " def train(learning_rate, seed).")
            )  # fmt: skip
    for name in names:
        if name not in known and name not in optional:
            parts = (
                f"{form % name} has no value. A search sets {', '.join(SET_BY_SEARCH)}; give others"
                f" in --script.values '{{{name}: 1}}'.",
                did_you_mean(name, known, most=1, cutoff=0.7),
            )
            raise ConfigError(field, value, " ".join(filter(None, parts)))
    for name in values:
        if name not in names:
            raise ConfigError(
                f"script.values.{name}", values[name], f"There is no {form % name} in the script."
            )


def names_in(command: str) -> tuple[str, ...]:
    """Return the distinct names in braces.

    >>> names_in("train {a} {b} {a} ${c} {}")
    ('a', 'b')
    """
    return tuple(dict.fromkeys(_NAME.findall(command)))


def _filled(text: str, texts: Mapping[str, str]) -> str:
    """Return a text with the names in braces replaced."""
    return _NAME.sub(lambda match: texts[match[1]], text)


def _filled_in_shell(command: str, texts: Mapping[str, str]) -> str:
    r"""Return a shell's command with the names in braces replaced by quoted texts.

    Quotes around a name are closed before its text, and opened again after it.

    >>> _filled_in_shell("train --out \"{out}/b\"", {"out": "'a b'"})
    'train --out ""\'a b\'"/b"'
    """
    quotes = [""]  # in effect, outside and within each $( )

    def filled(match: re.Match[str]) -> str:
        token, quote = match[0], quotes[-1]
        if match["name"]:
            return quote + texts[match["name"]] + quote
        if token[-1] == quote == "'" or token == quote:
            quotes[-1] = ""
        elif token in ("'", '"') and not quote:
            quotes[-1] = token
        elif token == "$(" and quote != "'":
            quotes.append("")
        elif token == ")" and not quote and len(quotes) > 1:
            quotes.pop()
        return token

    return _SHELL.sub(filled, command)


def text_of(value: Any) -> str:
    """Return a value as a word of a command: numbers without rounding, true and false as JSON.

    >>> text_of(0.1), text_of(1e-05), text_of(True), text_of(3)
    ('0.1', '1e-05', 'true', '3')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class ScriptRunConfig:
    """All settings of one run of a script, including the seed."""

    script: ScriptConfig = field(default_factory=ScriptConfig)
    """The script."""
    learning_rate: float = 0.1
    """The initial learning rate."""
    epochs: int | None = None
    """Length of the run; null if the script does not take it."""
    values: dict[str, Any] = field(default_factory=dict)
    """Values of the other names that the script takes."""
    seed: int = 0
    """Seed of the run."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise ConfigError("seed", self.seed, "Give 0 or more.")
        if not self.learning_rate > 0:
            raise ConfigError("learning_rate", self.learning_rate, "Give a value > 0.")
        if self.epochs is not None and self.epochs < 1:
            raise ConfigError("epochs", self.epochs, "Give at least 1, or null.")

    def all_values(self, out: str) -> dict[str, Any]:
        """Return the value of every name, given the folder for the run's own files."""
        known = {"learning_rate": self.learning_rate, "seed": self.seed, "out": out}
        length = {} if self.epochs is None else {"epochs": self.epochs}
        return {**known, **length, **self.values, **self.script.values}

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars, as written to a run's manifest."""
        return to_dict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> ScriptRunConfig:
        """Build a configuration from the output of :meth:`to_dict`.

        Raises:
            ConfigError: A field is unknown, or its value has the wrong type or range.
        """
        return from_dict(ScriptRunConfig, values)


def load_function(path: str) -> Any:
    """Import the function of a script.

    Raises:
        ConfigError: It cannot be imported, or cannot be called.
    """
    function = import_object(path, "script.function", _FUNCTION)
    if not callable(function):
        raise ConfigError("script.function", path, f"It is not a function. {_FUNCTION}")
    return function
