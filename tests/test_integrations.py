"""The order recorded inside others' loops is the one recorded by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from learnorder import IndexedDataset, LearningOrder
from learnorder.errors import DataError

EXAMPLES, EPOCHS = 40, 3


@pytest.fixture
def dataset():
    drawing = torch.Generator().manual_seed(0)
    x = torch.randn(EXAMPLES, 6, generator=drawing)
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 1).long())


def by_hand(dataset):
    """Train in the loader's own order, full control, and record."""
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    order = LearningOrder(EXAMPLES)
    for _ in range(EPOCHS):
        for x, y, index in DataLoader(IndexedDataset(dataset), batch_size=8):
            logits = model(x)
            optimizer.zero_grad()
            F.cross_entropy(logits, y).backward()
            optimizer.step()
            order.update(index, logits, y)
    return order


@pytest.mark.filterwarnings("ignore")
def test_the_lightning_callback(dataset, tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from learnorder.integrations.lightning import LearningOrderCallback

    class Module(lightning.LightningModule):
        def __init__(self, logits_too=True):
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(6, 3)
            self.logits_too = logits_too

        def training_step(self, batch, _):
            x, y, _ = batch
            logits = self.layer(x)
            loss = F.cross_entropy(logits, y)
            return {"loss": loss, "logits": logits} if self.logits_too else loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    def fit(order, module, data, epochs=EPOCHS, checkpoint=None):
        trainer = lightning.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, default_root_dir=tmp_path,
            callbacks=[LearningOrderCallback(order)],
        )  # fmt: skip
        trainer.fit(module, DataLoader(data, batch_size=8), ckpt_path=checkpoint)
        return trainer

    expected = by_hand(dataset).frame()
    order = LearningOrder(EXAMPLES)
    fit(order, Module(), IndexedDataset(dataset))
    assert order.frame().equals(expected)

    half = fit(LearningOrder(EXAMPLES), Module(), IndexedDataset(dataset), epochs=1)
    half.save_checkpoint(tmp_path / "half.ckpt")
    continued = LearningOrder(EXAMPLES)
    fit(continued, Module(), IndexedDataset(dataset), checkpoint=tmp_path / "half.ckpt")
    assert continued.frame().equals(expected), "the checkpoint keeps the order"

    with pytest.raises(DataError, match="'logits': logits"):
        fit(LearningOrder(EXAMPLES), Module(logits_too=False), IndexedDataset(dataset))


@pytest.mark.filterwarnings("ignore")
def test_the_transformers_mixin(dataset, tmp_path):
    transformers = pytest.importorskip("transformers")
    from learnorder.integrations.transformers import LearningOrderMixin

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(6, 3)

        def forward(self, x, labels):
            logits = self.layer(x)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    class Items:
        def __len__(self):
            return EXAMPLES

        def __getitem__(self, i):
            x, y = dataset[i]
            return {"x": x, "labels": int(y)}

    class OrderedTrainer(LearningOrderMixin, transformers.Trainer):
        pass

    def train(order, data):
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path), num_train_epochs=EPOCHS, per_device_train_batch_size=8,
            learning_rate=0.5, remove_unused_columns=False, use_cpu=True, report_to=[],
            save_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = OrderedTrainer(Network(), arguments, train_dataset=data)
        trainer.learning_order = order
        trainer.train()

    order = LearningOrder(EXAMPLES)
    train(order, IndexedDataset(Items()))
    assert np.array_equal(order.frame()["epochs_seen"], [EPOCHS] * EXAMPLES)
    assert order.curve()[EPOCHS].mean > order.curve()[1].mean, "it learns"
    train(None, IndexedDataset(Items()))
    with pytest.raises(DataError, match="remove_unused_columns=False"):
        train(LearningOrder(EXAMPLES), Items())
