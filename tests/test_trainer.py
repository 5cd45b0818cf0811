"""The order that the mixin records in a Hugging Face Trainer is the one recorded by hand."""

import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
)

from learnorder import IndexedDataset, LearningOrder
from learnorder.errors import ConfigError, DataError

transformers = pytest.importorskip("transformers")
from learnorder.toolkit.transformers import STATE, LearningOrderMixin  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLES, EPOCHS, BATCH = 40, 3, 8


def tensors(examples=EXAMPLES):
    drawing = torch.Generator().manual_seed(0)
    x = torch.randn(examples, 6, generator=drawing)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 1).long()


def table(name="label", form=None, examples=EXAMPLES):
    x, y = tensors(examples)
    columns = {"x": x.tolist(), name: y.tolist(), "unused": [f"text {i}" for i in range(examples)]}
    return datasets.Dataset.from_dict(columns).with_format(form)


class Mappings(Dataset):
    def __init__(self):
        self.x, self.y = tensors()

    def __len__(self):
        return EXAMPLES

    def __getitem__(self, i):
        return {"x": self.x[i], "labels": int(self.y[i])}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 3)

    def forward(self, x, labels=None):
        logits = self.layer(x)
        if labels is None:
            return {"logits": logits}
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class InOrder(transformers.Trainer):
    """Goes over its training set in order, so that a loop by hand is the same."""

    def _get_train_sampler(self, *args):
        return SequentialSampler(self.train_dataset)


class OrderedTrainer(LearningOrderMixin, InOrder):
    pass


@pytest.fixture
def make(tmp_path):
    def make(data, order=None, model=None, kind=OrderedTrainer, collator=None, **settings):
        loss = settings.pop("compute_loss_func", None)
        arguments = transformers.TrainingArguments(**{
            "output_dir": str(tmp_path), "num_train_epochs": EPOCHS, "learning_rate": 0.5,
            "per_device_train_batch_size": BATCH, "optim": "sgd", "max_grad_norm": 0.0,
            "lr_scheduler_type": "constant", "save_strategy": "no", "use_cpu": True,
            "report_to": [], "disable_tqdm": True, **settings,
        })  # fmt: skip
        trainer = kind(
            model or Network(),
            arguments,
            train_dataset=data,
            data_collator=collator,
            compute_loss_func=loss,
        )
        trainer.learning_order = LearningOrder(EXAMPLES) if order is None else order
        return trainer

    return make


def by_hand(epochs=EPOCHS, accumulate=1, batch=BATCH, drop_last=False, labels=None, smoothing=0.0):
    torch.manual_seed(0)
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    order = LearningOrder(EXAMPLES)
    x, y = tensors()
    data = IndexedDataset(TensorDataset(x, y if labels is None else labels))
    for epoch in range(1, epochs + 1):
        loader = DataLoader(data, batch_size=batch, drop_last=drop_last)
        for step, (x, y, index) in enumerate(loader, start=1):
            logits = model(x)["logits"]
            loss = F.cross_entropy(logits, y, label_smoothing=smoothing) / accumulate
            loss.backward()
            if step % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
            order.update(index, logits, y, epoch=epoch)
    return order.frame()


def frame(trainer):
    trainer.train()
    return trainer.learning_order.frame()


# data sets and collators


@pytest.mark.parametrize("form", [None, "torch", "numpy"])
@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("name", ["label", "labels"])
def test_a_table_of_datasets(make, form, remove, name):
    data = table(name, form) if remove else table(name, form).select_columns(["x", name])
    trainer = make(IndexedDataset(data), remove_unused_columns=remove)
    assert frame(trainer).equals(by_hand())


def test_a_table_with_an_index_of_its_own(make):
    data = table().add_column("index", list(range(EXAMPLES)))
    assert frame(make(data)).equals(by_hand())


@pytest.mark.parametrize(
    "data",
    [
        IndexedDataset(Mappings()),
        IndexedDataset(Mappings(), key="example"),
        Subset(IndexedDataset(Mappings()), range(EXAMPLES)),
        IndexedDataset(Subset(Mappings(), range(EXAMPLES))),
    ],
)
@pytest.mark.parametrize("workers", [0, 2])
def test_any_data_set(make, data, workers):
    trainer = make(
        data, dataloader_num_workers=workers, dataloader_persistent_workers=bool(workers)
    )
    assert frame(trainer).equals(by_hand())


def stack(items):
    return {
        "x": torch.stack([item["x"] for item in items]),
        "labels": torch.tensor([item["labels"] for item in items]),
    }


def stack_with_index(items):
    return {**stack(items), "index": torch.tensor([item["index"] for item in items])}


def stack_tuples(items):
    return {
        "x": torch.stack([item[0] for item in items]),
        "labels": torch.stack([item[1] for item in items]),
    }


@pytest.mark.parametrize(
    ("collator", "data"),
    [
        (stack, IndexedDataset(Mappings())),
        (stack_with_index, IndexedDataset(Mappings())),
        (stack_tuples, IndexedDataset(TensorDataset(*tensors()))),
        (transformers.DefaultDataCollator(), IndexedDataset(Mappings())),
    ],
)
def test_any_collator(make, collator, data):
    assert frame(make(data, collator=collator)).equals(by_hand())


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Mappings())


TWICE = ConcatDataset([IndexedDataset(Mappings()), IndexedDataset(Mappings())])
REFUSED = {
    "no index": (Mappings(), {}, DataError, "IndexedDataset"),
    "no index in a table": (table(), {}, DataError, "IndexedDataset"),
    "tuples": (TensorDataset(*tensors()), {"collator": stack_tuples}, DataError, "IndexedDataset"),
    "a stream": (Stream(), {"max_steps": 3}, ConfigError, "train_dataset: got 'Stream'"),
    "indexed twice": (TWICE, {}, ConfigError, "Join the parts"),
    "too many": (IndexedDataset(table(examples=50)), {}, ConfigError, r"LearningOrder\(50\)"),
    "two labels": (IndexedDataset(Mappings()), {"label_names": ["a", "b"]}, ConfigError, "label"),
    "tokens": (
        IndexedDataset(Mappings()),
        {"order": LearningOrder(EXAMPLES, tokens="all")},
        ConfigError,
        "shift_labels: got None. Set it for Network",
    ),
    "not an order": (IndexedDataset(Mappings()), {"order": "all"}, ConfigError, "LearningOrder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_training(make, name):
    data, settings, error, message = REFUSED[name]
    trainer = make(data, **settings)
    before = trainer.model.layer.weight.clone()
    with pytest.raises(error, match=message):
        trainer.train()
    assert torch.equal(trainer.model.layer.weight, before)


def test_a_loss_without_logits_and_a_search_are_refused(make):
    trainer = make(IndexedDataset(Mappings()))
    trainer.args.use_liger_kernel = True
    with pytest.raises(ConfigError, match="use_liger_kernel"):
        trainer.train()
    trainer = make(IndexedDataset(Mappings()))
    trainer.hp_search_backend = "optuna"
    with pytest.raises(ConfigError, match="A search trains several models"):
        trainer.train()


# models and losses


def test_without_an_order_it_trains_as_ever(make):
    trainer = make(IndexedDataset(Mappings()))
    trainer.learning_order = None
    trainer.train()
    other = make(Mappings(), kind=InOrder)
    other.train()
    assert torch.equal(trainer.model.layer.weight, other.model.layer.weight)


def test_following_leaves_training_as_it_is(make):
    followed, other = make(IndexedDataset(table())), make(table(), kind=InOrder)
    for trainer in (followed, other):
        trainer.train()
    assert torch.equal(followed.model.layer.weight, other.model.layer.weight)


class AsTuples(Network):
    def forward(self, x, labels):
        outputs = super().forward(x, labels)
        return outputs["loss"], outputs["logits"]


class Bare(Network):
    def forward(self, x):
        return self.layer(x)


def test_outputs_as_tuples_and_a_loss_of_one_s_own(make):
    assert frame(make(IndexedDataset(table()), model=AsTuples())).equals(by_hand())

    def loss(outputs, labels, num_items_in_batch=None):
        return F.cross_entropy(outputs, labels)

    trainer = make(
        IndexedDataset(table("labels")), model=Bare(), compute_loss_func=loss,
        label_names=["labels"],
    )  # fmt: skip
    assert frame(trainer).equals(by_hand())


def test_smoothed_labels(make):
    network = Network()
    network.config = transformers.PretrainedConfig()
    trainer = make(IndexedDataset(table()), model=network, label_smoothing_factor=0.2)
    assert frame(trainer).equals(by_hand(smoothing=0.2))


def test_examples_that_are_ignored(make):
    labels = tensors()[1].clone()
    labels[::5] = -100
    data = IndexedDataset(table().remove_columns("label").add_column("label", labels.tolist()))
    trainer = make(data)
    assert frame(trainer).equals(by_hand(labels=labels))
    assert (trainer.learning_order.epochs_seen == 0).sum() == 8


class OwnLoss(InOrder):
    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = F.cross_entropy(outputs["logits"], labels)
        return (loss, outputs) if return_outputs else loss


def test_a_trainer_with_a_loss_of_its_own(make):
    class Before(LearningOrderMixin, OwnLoss):
        pass

    class Behind(OwnLoss, LearningOrderMixin, InOrder):
        pass

    assert frame(make(IndexedDataset(table()), kind=Before)).equals(by_hand())
    with pytest.raises(DataError, match="Put LearningOrderMixin first"):
        make(IndexedDataset(table()), kind=Behind).train()

    class Short(OwnLoss):
        def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
            return super().compute_loss(model, inputs, **kwargs)

    class Shorter(LearningOrderMixin, Short):
        pass

    with pytest.raises(DataError, match="must return"):
        make(IndexedDataset(table()), kind=Shorter).train()


def test_no_logits_and_no_labels(make):
    class Silent(Network):
        def forward(self, x, labels=None):
            return {"loss": self.layer(x).sum()}

    with pytest.raises(DataError, match="returned no logits"):
        make(IndexedDataset(table()), model=Silent()).train()
    with pytest.raises(DataError, match="no 'labels'"):
        make(IndexedDataset(table().remove_columns("label")), model=Silent()).train()


def tiny(kind, **settings):
    torch.manual_seed(0)
    sizes = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    if kind.startswith("GPT2"):
        config = transformers.GPT2Config(
            vocab_size=11, n_embd=8, n_layer=1, n_head=2, n_positions=16, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, **settings,
        )  # fmt: skip
    else:
        config = transformers.BertConfig(intermediate_size=8, **sizes, **settings)
    return getattr(transformers, kind)(config)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("GPT2LMHeadModel", {}, "tokens='all'"),
        ("BertForTokenClassification", {}, "tokens='all'"),
        ("BertForMaskedLM", {}, "positions=T"),
        ("BertForSequenceClassification", {"num_labels": 1}, "problem_type: got 'regression'"),
        (
            "BertForSequenceClassification",
            {"problem_type": "multi_label_classification"},
            "LearningOrder.record",
        ),
        ("BertForQuestionAnswering", {}, "label_names"),
    ],
)
def test_models_of_transformers_refused_before_training(make, kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        make(IndexedDataset(Mappings()), model=tiny(kind, **settings)).train()


def sequences():
    """Tokens whose labels begin after a prompt of two, with padding at the right; half repeat."""
    drawing = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, 11, (EXAMPLES, 7), generator=drawing)
    tokens[::2] = 5
    labels = tokens.clone()
    labels[:, :2] = -100
    labels[::3, 5:] = -100
    return tokens, labels


@pytest.mark.parametrize("how", [{"tokens": "all"}, {"tokens": 0.2}, {"positions": 6}])
def test_a_causal_language_model(make, how):
    """Position t is the prediction of token t + 1; ignored tokens are left out."""
    tokens, labels = sequences()
    data = datasets.Dataset.from_dict({"input_ids": tokens.tolist(), "labels": labels.tolist()})
    trainer = make(
        IndexedDataset(data), LearningOrder(EXAMPLES, **how), tiny("GPT2LMHeadModel"),
        gradient_accumulation_steps=2, per_device_train_batch_size=4,
    )  # fmt: skip
    trainer.shift_labels = True
    recorded = frame(trainer)

    model, order = tiny("GPT2LMHeadModel"), LearningOrder(EXAMPLES, **how)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(1, EPOCHS + 1):
        for batch in torch.arange(EXAMPLES).split(8):
            count = (labels[batch][:, 1:] != -100).sum()
            for index in batch.split(4):
                logits = model(tokens[index]).logits[:, :-1]
                loss = F.cross_entropy(
                    logits.flatten(0, 1), labels[index][:, 1:].flatten(), reduction="sum"
                )
                (loss / count).backward()
                order.update(index, logits, labels[index][:, 1:], epoch=epoch)
            optimizer.step()
            optimizer.zero_grad()
    assert recorded.equals(order.frame())
    assert any(order.frame()["first_learned"].notna().tolist()), "it learns some"
    expected = (labels[:, 1:] != -100).sum() if "positions" in how else EXAMPLES
    assert order.curve()[EPOCHS].n == expected


@pytest.mark.parametrize("name", ["DataCollatorWithPadding", "DataCollatorForLanguageModeling"])
def test_collators_that_pad(make, name):
    """Texts of several lengths, tokenized, with columns that the model does not take."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3})),
        pad_token="[PAD]", unk_token="[UNK]", padding_side="right",
    )  # fmt: skip
    tokenizer.backend_tokenizer.pre_tokenizer = Whitespace()
    texts = ["a b " * (1 + i % 3) for i in range(EXAMPLES)]
    rows = {**tokenizer(texts), "text": texts, "label": [i % 2 for i in range(EXAMPLES)]}
    data = datasets.Dataset.from_dict(dict(rows))
    if name == "DataCollatorWithPadding":
        collator = transformers.DataCollatorWithPadding(tokenizer)
        model, order = tiny("BertForSequenceClassification"), LearningOrder(EXAMPLES)
        expected = EXAMPLES
    else:
        collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False)
        model, order = tiny("GPT2LMHeadModel"), LearningOrder(EXAMPLES, positions=5)
        expected = sum(2 * (1 + i % 3) - 1 for i in range(EXAMPLES))
    trainer = make(IndexedDataset(data), order, model, collator=collator)
    trainer.shift_labels = order.by_token
    trainer.train()
    assert {epoch: e.n for epoch, e in order.curve().items()} == dict.fromkeys((1, 2, 3), expected)


def test_token_classification_is_not_shifted(make):
    tokens, labels = sequences()
    labels = torch.where(labels == -100, labels, labels % 2)
    data = datasets.Dataset.from_dict({"input_ids": tokens.tolist(), "labels": labels.tolist()})
    trainer = make(
        IndexedDataset(data),
        LearningOrder(EXAMPLES, positions=7),
        tiny("BertForTokenClassification"),
    )
    trainer.shift_labels = False
    trainer.train()
    seen = torch.from_numpy(trainer.learning_order.epochs_seen)
    assert torch.equal(seen == EPOCHS, labels != -100)


# epochs, and the rest of a Trainer's settings


def test_gradients_that_accumulate(make):
    settings = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 5}
    trainer = make(IndexedDataset(table()), **settings)
    assert frame(trainer).equals(by_hand(accumulate=5, batch=4))


def test_batches_that_are_dropped(make):
    settings = {"per_device_train_batch_size": 16, "dataloader_drop_last": True}
    trainer = make(IndexedDataset(table()), **settings)
    assert frame(trainer).equals(by_hand(batch=16, drop_last=True))
    assert trainer.learning_order.epochs_seen[32:].tolist() == [0] * 8


def test_part_of_an_epoch(make):
    trainer = make(IndexedDataset(table()), max_steps=7)
    trainer.train()
    assert trainer.learning_order.epochs_seen.tolist() == [2] * 16 + [1] * 24


def test_evaluation_is_not_counted_and_has_no_index(make):
    trainer = make(IndexedDataset(table()))
    trainer.eval_dataset = IndexedDataset(table())
    trainer.args.eval_on_start = True
    trainer.args.eval_strategy = transformers.IntervalStrategy.EPOCH
    trainer.train()
    trainer.evaluate(IndexedDataset(table()))
    unlabelled = trainer.predict(IndexedDataset(table().remove_columns("label")))
    assert unlabelled.predictions.shape == (EXAMPLES, 3)
    assert trainer.learning_order.frame().equals(by_hand())


def test_a_second_run_counts_on(make):
    trainer = make(IndexedDataset(table()), num_train_epochs=1)
    for _ in range(EPOCHS):
        trainer.train()
    assert trainer.learning_order.frame().equals(by_hand())


def test_an_epoch_that_a_callback_ends(make, tmp_path):
    """Saved then, it is gone on with in a resumed run, as the Trainer does."""

    class Short(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_epoch_stop = control.should_save = state.global_step == 2

    trainer = make(IndexedDataset(table()))
    trainer.add_callback(Short())
    trainer.train()
    seen = {epoch: e.n for epoch, e in trainer.learning_order.curve().items()}
    assert seen == {1: 2 * BATCH, 2: EXAMPLES, 3: EXAMPLES}
    again = make(IndexedDataset(table()))
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert again.learning_order.frame().equals(by_hand())


def test_a_smaller_batch_after_memory_ran_out(make):
    class Large(Network):
        seen = 0

        def forward(self, x, labels):
            self.seen += len(x)
            if len(x) > 4 and self.seen > 2 * BATCH:
                raise RuntimeError("CUDA out of memory.")
            return super().forward(x, labels)

    trainer = make(IndexedDataset(table()), model=Large(), auto_find_batch_size=True)
    trainer.train()
    assert trainer.learning_order.epochs_seen.tolist() == [EPOCHS] * EXAMPLES
    assert trainer.learning_order.curve()[1].n == EXAMPLES


# checkpoints


@pytest.mark.parametrize("only_model", [False, True])
def test_resuming_goes_on_with_the_order(make, tmp_path, only_model):
    settings = {"save_strategy": "epoch", "save_only_model": only_model}
    first = make(IndexedDataset(table()), num_train_epochs=2, **settings)
    first.train()
    assert (tmp_path / "checkpoint-10" / STATE).is_file()
    second = make(IndexedDataset(table()), num_train_epochs=3, **settings)
    second.train(resume_from_checkpoint=True)
    assert second.learning_order.epochs_seen.tolist() == [3] * EXAMPLES
    assert second.learning_order.frame().equals(by_hand())
    third = make(IndexedDataset(table()), num_train_epochs=3, **settings)
    third.train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    assert third.learning_order.frame().equals(by_hand())


def test_resuming_within_an_epoch(make, tmp_path):
    settings = {"save_strategy": "steps", "save_steps": 3}
    make(IndexedDataset(table()), num_train_epochs=2, **settings).train()
    second = make(IndexedDataset(table()), **settings)
    second.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert second.learning_order.frame().equals(by_hand())


def test_a_checkpoint_without_an_order_is_refused(make, tmp_path):
    plain = make(table(), kind=InOrder, num_train_epochs=1, save_strategy="epoch")
    plain.train()
    trainer = make(IndexedDataset(table()), save_strategy="epoch")
    with pytest.raises(DataError, match="checkpoint-5 has no learning_order"):
        trainer.train(resume_from_checkpoint=True)


SCRIPT = """
import sys
from tests.test_trainer import *

arguments = transformers.TrainingArguments(
    output_dir=sys.argv[1], num_train_epochs=3, save_strategy="no", use_cpu=True, report_to=[],
    per_device_train_batch_size=8, learning_rate=0.5, optim="sgd", max_grad_norm=0.0,
    lr_scheduler_type="constant", disable_tqdm=True,
)
trainer = OrderedTrainer(Network(), arguments, train_dataset=IndexedDataset(table()))
trainer.learning_order = LearningOrder(EXAMPLES)
trainer.train(resume_from_checkpoint=True)
assert trainer.learning_order.epochs_seen.tolist() == [3] * EXAMPLES
assert trainer.learning_order.frame().equals(by_hand())
"""


def test_resuming_in_a_new_process(make, tmp_path):
    make(IndexedDataset(table()), num_train_epochs=2, save_strategy="epoch").train()
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], check=True, cwd=root)
