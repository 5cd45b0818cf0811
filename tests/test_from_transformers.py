"""Tasks from models, tokenizers and data sets of Hugging Face; nothing is downloaded."""

import copy
import importlib
import importlib.util
import logging
from dataclasses import replace

import datasets
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from torch.nn import functional as F
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from learnorder import Groups, Keep, Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, DataError
from learnorder.schedules import Schedule
from learnorder.tasks import backend
from learnorder.training.task import identify, splits
from learnorder.training.task_problem import task_trainer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "meal", "a", "the"]


def tokenizer(**settings) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    settings = {"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 32, **settings}
    return PreTrainedTokenizerFast(tokenizer_object=words, **settings)


def bert_config(**settings) -> BertConfig:
    settings = {
        "num_labels": 2,
        "vocab_size": len(WORDS),
        "max_position_embeddings": 32,
        **settings,
    }
    return BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **settings
    )


def bert(**settings) -> BertForSequenceClassification:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BertForSequenceClassification(bert_config(**settings))


def texts(n: int = 80, noun: str = "film", **columns) -> datasets.Dataset:
    values = {
        "text": [f"{'a ' * (i % 5)}{'good' if i % 2 else 'bad'} {noun}" for i in range(n)],
        "label": [i % 2 for i in range(n)],
    }
    return datasets.Dataset.from_dict({**values, **columns})


def config_of(epochs: int = 4, rate: float = 0.005, seed: int = 0) -> TaskRunConfig:
    training = TrainingConfig(epochs=epochs, batch_size=16, optimizer="AdamW", weight_decay=0.0)
    return TaskRunConfig(TaskConfig(), training, Schedule(rate), seed=seed)


def trained(task: Task, **how):
    trainer = task_trainer(config_of(**how), task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def test_texts_are_tokenized_padded_and_learned():
    task = Task.from_transformers(bert(), tokenizer(), texts())
    assert task.fine_tunes
    assert task.train[2] == {
        "input_ids": [2, 8, 8, 5, 6, 3],
        "attention_mask": [1] * 6,
        "labels": 0,
    }
    batch = task.collate([task.train[0], task.train[3]])
    assert batch["input_ids"].tolist() == [[2, 5, 6, 3, 0, 0, 0], [2, 8, 8, 8, 4, 6, 3]]
    assert batch["attention_mask"].tolist()[0] == [1, 1, 1, 1, 0, 0, 0]
    train, held = splits(task)
    assert [len(train), len(held)] == [64, 16]
    assert sum(held[i]["labels"] for i in range(16)) == 8  # stratified by label
    trainer = trained(task, epochs=12, rate=0.01)
    assert trainer.records.last("validation", "accuracy") == 1.0


def test_the_loss_is_the_models_own():
    model, task = bert(), Task.from_transformers(bert(), tokenizer(), texts())
    batch = task.collate([task.train[i] for i in range(8)])
    model.eval()
    with torch.no_grad():
        own = model(**batch).loss
        logits = model(**{k: v for k, v in batch.items() if k != "labels"}).logits
    assert float(task.loss(logits, batch["labels"])) == pytest.approx(float(own))
    regression = bert(num_labels=1).eval()
    scores = texts().remove_columns("label").add_column("label", [i / 80 for i in range(80)])
    task = Task.from_transformers(regression, tokenizer(), scores)
    batch = task.collate([task.train[i] for i in range(8)])
    with torch.no_grad():
        own = regression(**batch).loss
        logits = regression(**{k: v for k, v in batch.items() if k != "labels"}).logits
    assert float(task.loss(logits, batch["labels"])) == pytest.approx(float(own))
    assert trained(task, epochs=1).problem.score.name == "loss"


def test_tokenized_columns_and_pairs_are_the_same_as_texts():
    tokens = tokenizer()
    tokenized = texts().map(lambda items: tokens(items["text"]), batched=True)
    task = Task.from_transformers(bert(), tokens, tokenized.remove_columns("text"))
    plain = Task.from_transformers(bert(), tokens, texts())
    assert all(task.train[i] == plain.train[i] for i in range(80))
    task = Task.from_transformers(bert(), tokens, tokenized.with_format("torch"))
    assert all(task.train[i] == plain.train[i] for i in range(80))
    pairs = texts().add_column("second", ["the meal"] * 80)
    task = Task.from_transformers(bert(), tokens, pairs, text=("text", "second"))
    assert task.train[0]["input_ids"] == [2, 5, 6, 3, 9, 7, 3]


def test_a_configuration_is_trained_from_scratch_with_the_seed():
    task = Task.from_transformers(bert_config(), tokenizer(), texts())
    assert not task.fine_tunes
    weights = [
        task_trainer(config_of(seed=seed), task).network.classifier.weight for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    function = Task.from_transformers(bert, tokenizer(), texts())
    assert function.model is bert
    assert identify(task) != identify(function)


def test_a_run_is_the_same_again_and_dropout_is_drawn_from_the_seed():
    task = Task.from_transformers(bert(hidden_dropout_prob=0.3), tokenizer(), texts())
    runs = [trained(task, epochs=2, seed=seed).records.columns["value"] for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    still = replace(task, model=bert(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    assert trained(still, epochs=2).records.columns["value"] != runs[0]


def test_columns_are_groups_and_another_data_set_is_kept():
    domains = ["film" if i % 3 else "meal" for i in range(80)]
    task = Task.from_transformers(
        bert(), tokenizer(), texts(domain=domains), groups="domain", keep=texts(20, "meal")
    )
    assert task.groups.name == "domain"
    trainer = task_trainer(config_of(epochs=1), task)
    described = backend.describe(trainer, None)
    assert set(described["groups"]) == {f"{d}, class {c}" for d in ("film", "meal") for c in (0, 1)}
    assert described["keep"]["examples"] == 20
    by_hand = Keep(texts(20, "meal"), name="meals")
    kept = Task.from_transformers(bert(), tokenizer(), texts(), keep=by_hand).keep
    assert kept.name == "meals"
    assert kept.data[0]["input_ids"] == [2, 5, 7, 3]


def test_truncation_is_stated_and_counted(caplog):
    with caplog.at_level(logging.WARNING):
        task = Task.from_transformers(bert(), tokenizer(), texts(), max_length=6)
    assert task.train.truncated == sum(i % 5 > 2 for i in range(80)) == 32
    assert "32 of 80 texts are truncated to 6 tokens; the longest has 8" in caplog.text
    assert max(len(task.train[i]["input_ids"]) for i in range(80)) == 6
    assert task.train[3]["input_ids"][-1] == 3  # special tokens stay
    assert Task.from_transformers(bert(), tokenizer(), texts(), max_length=8).train.truncated == 0


def _missing(column, value):
    data = texts()
    values = data[column][:]
    values[7] = value
    return data.remove_columns(column).add_column(column, values)


def _with(**settings):
    return {"model": bert(**settings)}


TOO_LONG = texts().remove_columns("text").add_column("text", ["good " * (i + 1) for i in range(80)])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"dataset": datasets.DatasetDict({"train": texts(), "test": texts()})}, ConfigError,
         "splits \\(train, test\\)"),
        ({"dataset": texts().to_iterable_dataset()}, ConfigError, "streaming=False"),
        ({"dataset": [("good", 1)] * 5}, ConfigError, "datasets.Dataset"),
        ({"validation": datasets.DatasetDict({"train": texts()})}, ConfigError, "validation"),
        ({"keep": [1, 2]}, ConfigError, "keep"),
        ({"text": "sentence"}, ConfigError, "There are text, label"),
        ({"label": "stars"}, ConfigError, "There are text, label"),
        ({"dataset": texts(labels=[0] * 80)}, ConfigError, "name one"),
        ({"groups": "domain"}, ConfigError, "no such column"),
        ({"dataset": _missing("text", None)}, DataError, "item 7 has a NoneType"),
        ({"dataset": _missing("text", "")}, None, ""),
        ({"dataset": _missing("label", None)}, DataError, "item 7 has the label None"),
        ({"dataset": _missing("label", -1)}, DataError, "unlabelled"),
        ({"dataset": _missing("label", 2)}, ConfigError, "num_labels=3"),
        ({"dataset": texts().cast_column("label", datasets.Value("string"))}, DataError,
         "class_encode_column"),
        ({"dataset": texts().cast_column("label", datasets.Value("float32"))}, DataError,
         "no class"),
        ({"dataset": texts().cast_column("label", datasets.ClassLabel(names=["a", "b", "c"]))},
         ConfigError, "num_labels=3"),
        (_with(num_labels=1), ConfigError, "regression"),
        (_with(problem_type="regression"), ConfigError, "num_labels=1"),
        (_with(problem_type="multi_label_classification"), ConfigError, "not supported"),
        (_with(vocab_size=7), ConfigError, "token id 8"),
        ({"model": BertForMaskedLM(bert_config())}, ConfigError, "BertForMaskedLM"),
        ({"model": BertModel(bert_config())}, ConfigError, "BertModel"),
        ({"model": GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=10))},
         ConfigError, "loss of your own"),
        ({"model": nn.Linear(2, 2)}, ConfigError, "no model of transformers"),
        ({"model": "bert-base-uncased"}, ConfigError, "Give a model"),
        ({"tokenizer": str.split}, ConfigError, "tokenizer"),
        ({"tokenizer": tokenizer(pad_token=None)}, ConfigError, "padding token"),
        ({"dataset": TOO_LONG}, ConfigError, "50 of 80 texts have more tokens than the 32"),
        ({"dataset": TOO_LONG, "max_length": 33}, ConfigError, "at most 32"),
        ({"max_length": 0}, ConfigError, "1 or more"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(arguments, error, words):
    given = {"model": bert(), "tokenizer": tokenizer(), "dataset": texts(), **arguments}
    if error is None:
        Task.from_transformers(**given)
        return
    with pytest.raises(error, match=words):
        Task.from_transformers(**given)


def test_tokenized_texts_that_do_not_fit_are_refused():
    tokenized = datasets.Dataset.from_dict({"input_ids": [[2, 4]] * 5, "label": [0] * 5})
    with pytest.raises(ConfigError, match="tokenized already"):
        Task.from_transformers(bert(), tokenizer(), tokenized, max_length=8)
    empty = datasets.Dataset.from_dict({"input_ids": [[2, 4], []], "label": [0, 1]})
    with pytest.raises(DataError, match="item 1 has no tokens"):
        Task.from_transformers(bert(), tokenizer(), empty)
    long = datasets.Dataset.from_dict({"input_ids": [[4] * 33] * 5, "label": [0] * 5})
    with pytest.raises(ConfigError, match="allows 32, and 5 texts have more"):
        Task.from_transformers(bert(), tokenizer(), long)


def test_padding_does_not_change_what_is_scored():
    task = Task.from_transformers(bert(), tokenizer(), texts())
    model = bert().eval()
    alone = [task.collate([task.train[i]]) for i in range(5)]
    together = task.collate([task.train[i] for i in range(5)])
    for batch in (*alone, together):
        batch.pop("labels")
    with torch.no_grad():
        each = torch.cat([model(**batch).logits for batch in alone])
        assert torch.allclose(model(**together).logits, each, atol=1e-6)
    assert task.loss is F.cross_entropy


def test_groups_given_as_values_and_the_model_stays_as_it_was():
    model = bert()
    before = copy.deepcopy(model.state_dict())
    groups = Groups(["even", "odd"] * 40, name="row")
    trained(Task.from_transformers(model, tokenizer(), texts(), groups=groups), epochs=1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def with_lora() -> nn.Module:
    peft = importlib.import_module("peft")
    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "value"])
    return peft.get_peft_model(bert(), config)


def without_lora(model, inputs):
    with model.disable_adapter():
        return model(**inputs)


@pytest.mark.skipif(
    importlib.util.find_spec("peft") is None, reason="peft is not installed (extra: peft)"
)
def test_low_rank_adapters_are_trained_and_switched_off_for_the_old_task():
    keep = Keep(texts(20, "meal"), outputs=without_lora)
    task = Task.from_transformers(with_lora, tokenizer(), texts(), keep=keep)
    trainer = task_trainer(config_of(epochs=2), task)
    described = backend.describe(trainer, None)
    trainer.run(lambda _: False, lambda _: None)
    trained = {n for n, p in trainer.network.named_parameters() if p.grad is not None}
    assert trained
    assert all("lora" in name or "modules_to_save" in name for name in trained)
    assert trainer.records.last("keep", "loss") == described["keep"]["loss_before"]
