"""One learning order of two processes, whose samplers repeat examples to give each as many."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from learnorder import IndexedDataset, LearningOrder
from learnorder.errors import DataError

EXAMPLES, EPOCHS, BATCH = 11, 3, 2


class Mappings(Dataset):
    """Example i has x_0 = i, by which a prediction is known again."""

    def __len__(self):
        return EXAMPLES

    def __getitem__(self, i):
        return {"x": torch.tensor([float(i), i % 3 - 1.0, 1.0]), "labels": i % 2}


class Logging(nn.Module):
    """Notes of each batch which examples it has and which of them are correct."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 2)
        self.log = []

    def forward(self, x, labels):
        logits = self.layer(x[:, 1:])
        self.log.append((x[:, 0].int().tolist(), (logits.argmax(1) == labels).tolist()))
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def check(order, log):
    """Both processes hold what plain loops over both logs give, a repeated example once."""
    logs: list[Any] = [None, None]
    frames: list[Any] = [None, None]
    dist.all_gather_object(logs, log)
    dist.all_gather_object(frames, order.frame())
    assert frames[0].equals(frames[1])
    steps = len(log) // EPOCHS
    histories = [{} for _ in range(EXAMPLES)]
    for step, batches in enumerate(zip(*logs, strict=True)):
        for indices, corrects in batches:
            for index, correct in zip(indices, corrects, strict=True):
                histories[index].setdefault(step // steps + 1, correct)
    predictions = sum(len(indices) for one in logs for indices, _ in one)
    assert predictions > EPOCHS * EXAMPLES, "some are repeated"
    assert order.epochs_seen.tolist() == [EPOCHS] * EXAMPLES
    assert {epoch: e.n for epoch, e in order.curve().items()} == dict.fromkeys((1, 2, 3), EXAMPLES)
    for index, history in enumerate(histories):
        first = next((epoch for epoch, correct in history.items() if correct), 0)
        assert order.first_learned[index] == first
        lost = sum(history[e] and not history[e + 1] for e in range(1, EPOCHS))
        assert order.forgetting_events[index] == lost
        if order.has_dynamics:
            share = sum(history.values()) / len(history)
            assert order.correctness[index] == pytest.approx(share)
            assert (order.aum[index] > 0) == (share == 1) or 0 < share < 1


def loop():
    model, data = Logging(), IndexedDataset(Mappings())
    order = LearningOrder(EXAMPLES, dynamics=True)
    sampler = DistributedSampler(data)
    parallel = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(1, EPOCHS + 1):
        sampler.set_epoch(epoch)
        for batch in DataLoader(data, batch_size=BATCH, sampler=sampler):
            outputs = parallel(batch["x"], batch["labels"])
            optimizer.zero_grad()
            outputs["loss"].backward()
            optimizer.step()
            order.update(
                batch["index"], outputs["logits"], batch["labels"],
                epoch=epoch, once=True, gather=True,
            )  # fmt: skip
    check(order, model.log)


def error_of_one_process():
    order, rank = LearningOrder(2), dist.get_rank()
    with pytest.raises(DataError, match="from 5 to 5"):
        order.update([5 * rank], torch.zeros(1, 2), [0], gather=True)
    assert order.epochs == 0


def another_error_of_one_process():
    """The other process hears of it instead of waiting."""
    order, rank = LearningOrder(2), dist.get_rank()
    logits = torch.zeros(1, 2, device="meta" if rank else "cpu")
    kind, message = (NotImplementedError, "meta") if rank else (DataError, "Process 1")
    with pytest.raises(kind, match=message):
        order.update([rank], logits, [0], gather=True)
    assert order.epochs == 0


def trainer(folder):
    import transformers

    from learnorder.toolkit.transformers import STATE, LearningOrderMixin

    class OrderedTrainer(LearningOrderMixin, transformers.Trainer):
        pass

    model = Logging()
    arguments = transformers.TrainingArguments(
        output_dir=folder, num_train_epochs=EPOCHS, learning_rate=0.5, optim="sgd",
        per_device_train_batch_size=BATCH, save_strategy="epoch", use_cpu=True, report_to=[],
        disable_tqdm=True,
    )  # fmt: skip
    ordered = OrderedTrainer(model, arguments, train_dataset=IndexedDataset(Mappings()))
    ordered.learning_order = LearningOrder(EXAMPLES)
    ordered.train()
    check(ordered.learning_order, model.log)
    saved = torch.load(Path(folder) / f"checkpoint-{ordered.state.global_step}" / STATE)
    again = LearningOrder(EXAMPLES)
    again.load_state_dict(saved["order"])
    assert again.frame().equals(ordered.learning_order.frame())


def callback(folder):
    import lightning.pytorch as lightning

    from learnorder.toolkit.lightning import LearningOrderCallback

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = Logging()

        def training_step(self, batch, _):
            return self.model(batch["x"], batch["labels"])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    module, order = Module(), LearningOrder(EXAMPLES)
    loader = DataLoader(IndexedDataset(Mappings()), batch_size=BATCH, shuffle=True)
    lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", devices=2, strategy="ddp", logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        default_root_dir=folder, callbacks=[LearningOrderCallback(order)],
    ).fit(module, loader)  # fmt: skip
    check(order, module.model.log)


def main(part, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    if part == "loop":
        loop()
        error_of_one_process()
        another_error_of_one_process()
    else:
        {"trainer": trainer, "callback": callback}[part](folder)
    if dist.is_initialized():
        dist.barrier()  # gloo's threads abort a process whose partner has gone before it
        dist.destroy_process_group()
    os._exit(0)


@pytest.mark.parametrize(
    "part",
    ["loop", *(pytest.param(part, marks=pytest.mark.slow) for part in ("trainer", "callback"))],
)
def test_two_processes_have_one_order(part, tmp_path):
    pytest.importorskip({"trainer": "transformers", "callback": "lightning"}.get(part, "torch"))
    run = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "tests.test_order_processes", part, str(tmp_path),
        ],
        cwd=Path(__file__).parents[1], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]


if __name__ == "__main__":
    main(*sys.argv[1:])
