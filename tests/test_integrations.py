"""The order recorded inside others' loops is the one recorded by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from learnorder import IndexedDataset, LearningOrder
from learnorder.errors import ConfigError, DataError

lightning = pytest.importorskip("lightning.pytorch")
from learnorder.toolkit.lightning import LearningOrderCallback  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
EXAMPLES, EPOCHS = 40, 3


@pytest.fixture
def dataset():
    drawing = torch.Generator().manual_seed(0)
    x = torch.randn(EXAMPLES, 6, generator=drawing)
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 1).long())


class Mappings(Dataset):
    """Items as mappings, with the labels under a name of one's choice."""

    def __init__(self, data, labels="labels"):
        self.data, self.labels = data, labels

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        x, y = self.data[i]
        return {"x": x, self.labels: y}


def by_hand(dataset, epochs=EPOCHS, accumulate=1):
    """Train in the loader's own order, full control, and record."""
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    order = LearningOrder(EXAMPLES)
    for _ in range(epochs):
        loader = DataLoader(IndexedDataset(dataset), batch_size=8)
        for step, (x, y, index) in enumerate(loader, start=1):
            logits = model(x)
            (F.cross_entropy(logits, y) / accumulate).backward()
            if step % accumulate == 0 or step == len(loader):
                optimizer.step()
                optimizer.zero_grad()
            order.update(index, logits, y)
    return order.frame()


class Module(lightning.LightningModule):
    """Returns its logits too, by tuple or mapping batches."""

    def __init__(self, returns=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 3)
        self.returns = returns

    def training_step(self, batch, step):
        mapping = isinstance(batch, dict)
        x = batch["x"] if mapping else batch[0]
        y = batch.get("labels", batch.get("label")) if mapping else batch[1]
        logits = self.layer(x)
        loss = F.cross_entropy(logits, y)
        if self.returns is not None:
            return self.returns(loss, logits, y, step)
        return {"loss": loss, "logits": logits}

    def validation_step(self, batch, _):
        return self.training_step(batch, _)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


@pytest.fixture
def fit(tmp_path):
    def fit(order, data, module=None, epochs=EPOCHS, checkpoint=None, loader=None, **settings):
        trainer = lightning.Trainer(**{
            "max_epochs": epochs, "accelerator": "cpu", "logger": False,
            "enable_progress_bar": False, "enable_model_summary": False,
            "enable_checkpointing": False, "default_root_dir": tmp_path,
            "callbacks": [LearningOrderCallback(order)], **settings,
        })  # fmt: skip
        trainer.fit(
            module or Module(),
            loader or DataLoader(data, batch_size=8),
            DataLoader(data, batch_size=8) if "num_sanity_val_steps" in settings else None,
            ckpt_path=checkpoint,
        )
        return trainer

    return fit


@pytest.mark.parametrize("labels", [None, "labels", "label"])
def test_batches_as_tuples_and_as_mappings(dataset, fit, labels):
    order = LearningOrder(EXAMPLES)
    fit(order, IndexedDataset(dataset if labels is None else Mappings(dataset, labels)))
    assert order.frame().equals(by_hand(dataset))


def test_another_name_for_the_index_and_a_subset(dataset, fit):
    indexed = IndexedDataset(Mappings(dataset), key="example")
    order = LearningOrder(EXAMPLES)
    fit(order, Subset(indexed, range(EXAMPLES)))
    assert order.frame().equals(by_hand(dataset))


def test_a_data_set_with_an_index_of_its_own(dataset, fit):
    x, y = dataset.tensors
    order = LearningOrder(EXAMPLES)
    fit(order, TensorDataset(x, y, torch.arange(EXAMPLES)))
    assert order.frame().equals(by_hand(dataset))


def test_labels_that_training_step_returns(dataset, fit):
    """Such as shifted ones: here all examples are of class 0."""
    order, expected = LearningOrder(EXAMPLES), LearningOrder(EXAMPLES)

    def returns(loss, logits, y, step):
        return {"loss": loss, "logits": logits, "labels": torch.zeros_like(y)}

    fit(order, IndexedDataset(dataset), Module(returns), epochs=1)
    with torch.no_grad():
        expected.update(range(8), Module().layer(dataset.tensors[0][:8]), torch.zeros(8))
    assert order.first_learned[:8].tolist() == expected.first_learned[:8].tolist()


def test_gradients_that_accumulate(dataset, fit):
    order = LearningOrder(EXAMPLES)
    fit(order, IndexedDataset(dataset), accumulate_grad_batches=2)
    assert order.frame().equals(by_hand(dataset, accumulate=2))


def test_validation_and_its_sanity_check_are_not_counted(dataset, fit):
    order = LearningOrder(EXAMPLES)
    fit(order, IndexedDataset(dataset), num_sanity_val_steps=2)
    assert order.frame().equals(by_hand(dataset))


def test_a_checkpoint_keeps_the_order(dataset, fit, tmp_path):
    half = fit(LearningOrder(EXAMPLES), IndexedDataset(dataset), epochs=1)
    half.save_checkpoint(tmp_path / "half.ckpt")
    continued = LearningOrder(EXAMPLES)
    fit(continued, IndexedDataset(dataset), checkpoint=tmp_path / "half.ckpt")
    assert continued.frame().equals(by_hand(dataset))


def test_a_checkpoint_within_an_epoch(dataset, fit, tmp_path):
    """After 3 of 5 batches of epoch 2: an example is recorded once in each of 3 epochs."""
    half = fit(LearningOrder(EXAMPLES), IndexedDataset(dataset), epochs=2, max_steps=8)
    half.save_checkpoint(tmp_path / "half.ckpt")
    continued = LearningOrder(EXAMPLES)
    fit(continued, IndexedDataset(dataset), checkpoint=tmp_path / "half.ckpt")
    assert continued.epochs == EPOCHS
    assert continued.epochs_seen.tolist() == [EPOCHS] * EXAMPLES
    assert {epoch: e.n for epoch, e in continued.curve().items()}.keys() == {1, 2, 3}
    assert continued.curve()[1].n == continued.curve()[3].n == EXAMPLES


def test_a_second_run_counts_on(dataset, fit):
    module, order = Module(), LearningOrder(EXAMPLES)
    fit(order, IndexedDataset(dataset), module, epochs=1)
    trainer = fit(order, IndexedDataset(dataset), module, epochs=2)
    assert order.frame().equals(by_hand(dataset))
    trainer.fit_loop.max_epochs = 3
    trainer.fit(module, DataLoader(IndexedDataset(dataset), batch_size=8))
    assert order.epochs_seen.tolist() == [4] * EXAMPLES


def test_an_example_is_recorded_once_an_epoch(dataset, fit):
    indexed = IndexedDataset(dataset)
    drawn = WeightedRandomSampler(torch.ones(EXAMPLES), 3 * EXAMPLES)
    order = LearningOrder(EXAMPLES)
    fit(order, indexed, loader=DataLoader(indexed, batch_size=8, sampler=drawn), epochs=2)
    assert max(e.n for e in order.curve().values()) <= EXAMPLES
    assert order.epochs == 2


def test_a_batch_that_training_step_skips(dataset, fit):
    order = LearningOrder(EXAMPLES)

    def returns(loss, logits, y, step):
        return None if step == 1 else {"loss": loss, "logits": logits}

    fit(order, IndexedDataset(dataset), Module(returns))
    assert order.epochs_seen.tolist() == [3] * 8 + [0] * 8 + [3] * (EXAMPLES - 16)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(6), 0, 0)])


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        (lambda d: d, DataError, "IndexedDataset"),
        (Mappings, DataError, "IndexedDataset"),
        (lambda d: TensorDataset(*d.tensors, d.tensors[1]), DataError, "IndexedDataset"),
        (lambda d: Stream(), ConfigError, "'Stream'. Its items have no index"),
        (lambda d: ConcatDataset([IndexedDataset(d)] * 2), ConfigError, "Join the parts"),
        (lambda d: IndexedDataset(ConcatDataset([d, d])), ConfigError, "LearningOrder.80."),
    ],
)
def test_data_without_an_index_is_refused_before_training(dataset, fit, made, error, message):
    module = Module()
    before = module.layer.weight.clone()
    with pytest.raises(error, match=message):
        fit(LearningOrder(EXAMPLES), made(dataset), module)
    assert torch.equal(module.layer.weight, before)


def test_what_the_step_must_return(dataset, fit):
    with pytest.raises(DataError, match="'logits': logits"):
        fit(LearningOrder(EXAMPLES), IndexedDataset(dataset), Module(lambda loss, *_: loss))

    class Nameless(Mappings):
        def __getitem__(self, i):
            return {"x": self.data[i][0], "y": self.data[i][1]}

    class Other(Module):
        def training_step(self, batch, _):
            logits = self.layer(batch["x"])
            return {"loss": F.cross_entropy(logits, batch["y"]), "logits": logits}

    with pytest.raises(DataError, match="It has 'x', 'y', 'index'"):
        fit(LearningOrder(EXAMPLES), IndexedDataset(Nameless(dataset)), Other())
    order = LearningOrder(EXAMPLES)
    named = [LearningOrderCallback(order, labels="y")]
    fit(order, IndexedDataset(Nameless(dataset)), Other(), callbacks=named)
    assert order.frame().equals(by_hand(dataset))
