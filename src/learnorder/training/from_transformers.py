"""Tasks from models, tokenizers and data sets of Hugging Face."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import datasets
from torch import Tensor, nn
from torch.nn import functional as F

from learnorder.errors import ConfigError
from learnorder.seeding import random_state_kept
from learnorder.training.groups import Groups
from learnorder.training.keep import Keep
from learnorder.training.text_reader import OTHERWISE, TextReader

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def task_fields(
    model: nn.Module | PretrainedConfig | Callable[[], nn.Module],
    tokenizer: Any,
    dataset: datasets.Dataset,
    *,
    text: str | tuple[str, str],
    label: str | None,
    validation: datasets.Dataset | None,
    max_length: int | None,
    groups: Groups | str | None,
    keep: Keep | datasets.Dataset | None,
) -> dict[str, Any]:
    """Return the fields of a task; see :meth:`learnorder.Task.from_transformers`."""
    try:
        from transformers import DataCollatorWithPadding
    except ImportError as error:
        remedy = "It is not installed: pip install 'learnorder[transformers]'."
        raise ConfigError("transformers", None, remedy) from error
    made, config, vocabulary = _model_of(model)
    _check_tokenizer(tokenizer)
    columns = (text,) if isinstance(text, str) else tuple(text)
    reader = TextReader(tokenizer, config, vocabulary, columns, label, max_length)
    _check_length(max_length, reader.longest)
    train = reader.read(dataset, "dataset")
    held = None if validation is None else reader.read(validation, "validation")
    if isinstance(groups, str):
        groups = _groups_of(groups, dataset, validation)
    return {
        "model": made,
        "train": train,
        "validation": held,
        "loss": squared_error if isinstance(train.labels[0], float) else F.cross_entropy,
        "collate": DataCollatorWithPadding(tokenizer),
        "show": functools.partial(_text_of, tokenizer),
        "groups": groups,
        "keep": _keep_of(keep, reader),
    }


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of a regression, for outputs [B, 1] and targets [B]."""
    return F.mse_loss(outputs.squeeze(-1), targets.float())


def _text_of(tokenizer: Any, item: dict[str, Any]) -> str:
    """Return the text of an item, from its token ids."""
    return tokenizer.decode(item["input_ids"], skip_special_tokens=True)


def _model_of(model: Any) -> tuple[Any, Any, int | None]:
    """Return a task's model, its configuration, and the number of token ids that it knows."""
    from transformers import PretrainedConfig

    made: Any = model
    if isinstance(model, PretrainedConfig):
        made = functools.partial(_from_config, model)
    built: Any = made
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise ConfigError(
                "model",
                type(model).__name__,
                "Give a model of transformers, its configuration, or a function that returns a "
                "model.",
            )
        with random_state_kept():
            built = made()
    config = getattr(built, "config", None)
    if not isinstance(config, PretrainedConfig):
        raise ConfigError(
            "model", type(built).__name__, f"It is no model of transformers. {OTHERWISE}"
        )
    _check_head(built)
    embeddings = built.get_input_embeddings()
    return made, config, getattr(embeddings, "num_embeddings", None)


def _from_config(config: PretrainedConfig) -> nn.Module:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_config(copy.deepcopy(config))


def _check_head(model: Any) -> None:
    base = getattr(model, "get_base_model", None)  # of PEFT
    kind = type(model if base is None else base())
    ours = kind.__module__.partition(".")[0] != "transformers"
    if not ours and not kind.__name__.endswith("ForSequenceClassification"):
        raise ConfigError(
            "model", kind.__name__, f"It has no head for the classes of a text. {OTHERWISE}"
        )
    if getattr(model.config, "output_router_logits", False):
        raise ConfigError(
            "model",
            "output_router_logits",
            "The loss of its experts' router would be left out. Set it to False.",
        )


def _check_tokenizer(tokenizer: Any) -> None:
    from transformers import PreTrainedTokenizerBase

    kind = type(tokenizer).__name__
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ConfigError("tokenizer", kind, "Give a tokenizer of transformers.")
    if tokenizer.pad_token is None:
        raise ConfigError(
            "tokenizer",
            f"{kind} without a padding token",
            "Batches need one: set tokenizer.pad_token, e.g. to tokenizer.eos_token, and "
            "model.config.pad_token_id to tokenizer.pad_token_id.",
        )


def _check_length(max_length: int | None, longest: int | None) -> None:
    if max_length is None:
        return
    if max_length < 1:
        raise ConfigError("max_length", max_length, "Give 1 or more, or None.")
    if longest is not None and max_length > longest:
        raise ConfigError(
            "max_length", max_length, f"The tokenizer or the model allows at most {longest:,}."
        )


def _groups_of(name: str, dataset: Any, validation: Any) -> Groups:
    """Return the groups of a column."""
    columns = [None if data is None else data.with_format(None) for data in (dataset, validation)]
    for data, field in zip(columns, ("dataset", "validation"), strict=True):
        if data is not None and name not in data.column_names:
            listed = ", ".join(data.column_names)
            raise ConfigError("groups", name, f"{field} has no such column, but {listed}.")
    train, held = (None if data is None else data[name][:] for data in columns)
    assert train is not None
    return Groups(train, held, name)


def _keep_of(keep: Any, reader: TextReader) -> Keep | None:
    if isinstance(keep, Keep):
        tokens = isinstance(keep.data, datasets.Dataset)
        return replace(keep, data=reader.read(keep.data, "keep")) if tokens else keep
    return None if keep is None else Keep(reader.read(keep, "keep"))
