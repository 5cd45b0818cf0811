"""Each item keeps its index, however the data set is read."""

import pickle

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)

from learnorder import IndexedDataset
from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.indexed import indexed_in

N = 23


def pairs():
    """Items (value, label), where value is 10 times the item's place in the set."""
    return TensorDataset(torch.arange(N) * 10, torch.arange(N) % 3)


def table(form=None):
    return datasets.Dataset.from_dict(
        {"value": [10 * i for i in range(N)], "label": [i % 3 for i in range(N)]}
    ).with_format(form)


class Mappings(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"value": 10 * i, "label": i % 3}


class Batched(Mappings):
    """With ``__getitems__``, of which a plain class has no need."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


def split():
    return random_split(pairs(), [N - 5, 5], torch.Generator().manual_seed(0))[0]


SOURCES = {
    "tensors": pairs,
    "list": lambda: [(10 * i, i % 3) for i in range(N)],
    "subset": lambda: Subset(pairs(), range(3, N)),
    "subset of a subset": lambda: Subset(Subset(pairs(), range(3, N)), [5, 2, 2, 0]),
    "random split": split,
    "joined": lambda: ConcatDataset([pairs(), pairs()]),
    "stacked": lambda: StackDataset(torch.arange(N) * 10, torch.arange(N) % 3),
    "stacked by name": lambda: StackDataset(value=torch.arange(N) * 10, label=torch.arange(N) % 3),
    "mappings": Mappings,
    "with getitems": Batched,
    "table": table,
    "table of tensors": lambda: table("torch"),
    "table of arrays": lambda: table("numpy"),
    "table transformed": lambda: table().with_transform(lambda rows: dict(rows)),
    "subset of a table": lambda: Subset(table("torch"), [4, 1, 7]),
    "selected from a table": lambda: table().select([4, 1, 7]),
    "shuffled table": lambda: table().shuffle(seed=1),
}
LOADERS = {
    "in order": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "one by one": {"batch_size": None},
    "workers": {"batch_size": 4, "shuffle": True, "num_workers": 2},
    "persistent workers": {"batch_size": 4, "num_workers": 1, "persistent_workers": True},
    "drop last": {"batch_size": 4, "drop_last": True},
}


def value_of(item):
    return int(item["value"] if isinstance(item, dict) else item[0])


def parts(batch):
    """Return the values and indices of a batch as lists."""
    values, indices = (
        (batch["value"], batch["index"]) if isinstance(batch, dict) else (batch[0], batch[-1])
    )
    return (torch.as_tensor(part).reshape(-1).tolist() for part in (values, indices))


def check(dataset, loader, complete=True):
    """Each value is that of the item its index names, and each index comes once an epoch."""
    for _ in range(2):
        seen = []
        for batch in loader:
            values, indices = parts(batch)
            assert values == [value_of(dataset[i]) for i in indices]
            seen += indices
        assert sorted(seen) == list(range(len(dataset))) or not complete
        assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("how", [name for name in LOADERS if "workers" not in name])
def test_a_loader_keeps_the_index(source, how):
    dataset = SOURCES[source]()
    loader = DataLoader(IndexedDataset(dataset), **LOADERS[how])
    check(dataset, loader, complete=how != "drop last")


@pytest.mark.parametrize("source", ["tensors", "random split", "table of tensors"])
@pytest.mark.parametrize("how", ["workers", "persistent workers"])
def test_workers_keep_the_index(source, how):
    dataset = SOURCES[source]()
    check(dataset, DataLoader(IndexedDataset(dataset), **LOADERS[how]))


@pytest.mark.parametrize("source", SOURCES)
def test_a_batch_sampler_keeps_the_index(source):
    dataset = SOURCES[source]()
    sampler = BatchSampler(RandomSampler(dataset), 3, drop_last=False)
    check(dataset, DataLoader(IndexedDataset(dataset), batch_sampler=sampler))


@pytest.mark.parametrize(
    "source", ["tensors", "table", "table of tensors", "table of arrays", "shuffled table"]
)
def test_batches_read_at_once_keep_the_index(source):
    """A sampler of batches with batch_size=None, as the documentation of datasets has it."""
    dataset = SOURCES[source]()
    sampler = BatchSampler(RandomSampler(dataset), 3, drop_last=False)
    check(dataset, DataLoader(IndexedDataset(dataset), sampler=sampler, batch_size=None))


@settings(deadline=None)
@given(st.data())
def test_any_batches_in_any_order(data):
    source = data.draw(st.sampled_from(sorted(SOURCES)))
    dataset = SOURCES[source]()
    size = len(dataset)
    batches = data.draw(st.lists(st.lists(st.integers(-size, size - 1), max_size=6), max_size=4))
    indexed = IndexedDataset(dataset)
    for batch in batches:
        together = indexed.__getitems__(batch)
        for item, index in zip(together, batch, strict=True):
            number = item["index"] if isinstance(item, dict) else item[-1]
            assert number == index % size
            assert value_of(item) == value_of(dataset[number])
            alone = indexed[index]
            assert (alone["index"] if isinstance(alone, dict) else alone[-1]) == number


def test_a_slice_of_columns_has_a_column_of_indices():
    assert [part.tolist() for part in IndexedDataset(pairs())[2:6:2]] == [[20, 40], [2, 1], [2, 4]]
    rows = IndexedDataset(table("torch"))[torch.tensor([3, -1])]
    assert rows["index"].tolist() == [3, N - 1]
    assert rows["value"].tolist() == [30, 10 * (N - 1)]
    mask = torch.arange(N) > N - 3
    assert IndexedDataset(pairs())[mask][-1].tolist() == [N - 2, N - 1]
    values, numbers = IndexedDataset(np.arange(5) * 10)[1:3]
    assert (values.tolist(), numbers.tolist()) == ([10, 20], [1, 2])


def test_a_slice_of_a_list_is_a_list_of_indexed_items():
    assert IndexedDataset([("a", 1), ("b", 2), ("c", 3)])[1:] == [("b", 2, 1), ("c", 3, 2)]
    assert IndexedDataset((("a", 1), ("b", 2)))[:2] == [("a", 1, 0), ("b", 2, 1)]
    assert IndexedDataset([("a", 1)])[:0] == []


def test_what_cannot_be_told_apart_is_refused():
    class Odd(Mappings):
        def __getitem__(self, i):
            return tuple((10 * n, n) for n in range(N)[i]) if isinstance(i, slice) else (10 * i, i)

    class Short(Mappings):
        def __getitems__(self, indices):
            return [self[0]]

    with pytest.raises(DataError, match="a tuple for 2 indices"):
        IndexedDataset(Odd())[:2]
    with pytest.raises(DataError, match="1 items for 2 indices"):
        IndexedDataset(Short()).__getitems__([0, 1])
    with pytest.raises(IndexError, match="Index 23 is out of range: there are 23 items"):
        IndexedDataset(Mappings())[N]


def test_it_can_be_iterated_over_and_pickled():
    indexed = IndexedDataset(Mappings())
    assert [item["index"] for item in indexed] == list(range(N))
    again = pickle.loads(pickle.dumps(IndexedDataset(pairs())))
    assert again[4] == (40, 1, 4)


def test_columns_by_name():
    indexed = IndexedDataset(table())
    assert list(indexed["label"]) == [i % 3 for i in range(N)]
    assert indexed["index"] == list(range(N))
    assert indexed.column_names == ["value", "label"]


def test_subsets_count_by_themselves_or_by_the_whole():
    chosen = [7, 3, 11]
    assert [IndexedDataset(Subset(pairs(), chosen))[i][-1] for i in range(3)] == [0, 1, 2]
    whole = Subset(IndexedDataset(pairs()), chosen)
    (batch,) = DataLoader(whole, batch_size=3)
    assert batch[-1].tolist() == chosen
    assert indexed_in(Subset(whole, [0])) is whole.dataset
    assert indexed_in(pairs()) is None


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(1, 2)])


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        (Stream(), "Stream"),
        (ChainDataset([Stream()]), "ChainDataset"),
        (table().to_iterable_dataset(), "IterableDataset"),
        ((i for i in range(3)), "generator"),
        (DataLoader(pairs()), "DataLoader"),
    ],
)
def test_what_has_no_index_is_refused_by_name(dataset, name):
    with pytest.raises(ConfigError, match=f"dataset: got '{name}'. Its items have no index"):
        IndexedDataset(dataset)


def test_several_splits_are_refused_with_their_names():
    with pytest.raises(ConfigError, match="one of its splits, 'train', 'test'"):
        IndexedDataset(datasets.DatasetDict({"train": table(), "test": table()}))


def test_another_key_where_the_column_exists():
    taken = table().add_column("index", list(range(N)))
    with pytest.raises(ConfigError, match="key='example'"):
        IndexedDataset(taken)
    assert IndexedDataset(taken, key="example")[3]["example"] == 3
    with pytest.raises(KeyError, match="another key"):
        IndexedDataset([{"index": 3}])[0]
