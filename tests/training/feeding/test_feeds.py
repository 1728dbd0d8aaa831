import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from tutelage.core.errors import BadInput
from tutelage.data.views import Affine, Views
from tutelage.training.feeding.feeds import LoaderFeed, TensorFeed, ViewFeed

INPUTS = torch.from_numpy(np.random.default_rng(0).uniform(size=(10, 1, 6, 6)).astype(np.float32))
LABELS = torch.arange(10)
CPU = torch.device("cpu")
PARTS = [torch.tensor([3, 1, 9, 0]), torch.tensor([7, 2])]


def test_tensors_and_loaders_give_the_same_batches():
    of_tensors = list(TensorFeed(INPUTS).batches(1, PARTS))
    loader = DataLoader(TensorDataset(INPUTS, LABELS), batch_size=3, shuffle=True)
    of_loader = list(LoaderFeed.of(loader, CPU).batches(1, PARTS))
    for one, other, rows in zip(of_tensors, of_loader, PARTS, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.rows, rows)
        assert torch.equal(other.rows, rows)
        assert torch.equal(other.labels, rows)
        assert one.labels is None
    assert LoaderFeed.of(loader, CPU).rows == TensorFeed(INPUTS).rows == 10


def test_each_epoch_shows_the_next_view_with_its_answers():
    views = Views(INPUTS, Affine(degrees=20, shift=1), count=2, seed=1)
    feed = ViewFeed(views, CPU)
    recorded = np.concatenate([part for *_, part in views.as_rows().parts(7)])
    for epoch in (1, 2, 3):
        for batch in feed.batches(epoch, PARTS):
            np.testing.assert_array_equal(batch.inputs.numpy(), recorded[batch.answer_rows.numpy()])
            assert batch.answer_rows.tolist() == (batch.rows + 10 * ((epoch - 1) % 2)).tolist()


def test_a_dataset_of_inputs_alone_has_no_labels():
    class Inputs(Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return INPUTS[index]

    (batch, _) = LoaderFeed.of(Inputs(), CPU).batches(1, PARTS)
    assert batch.labels is None
    assert torch.equal(batch.inputs, INPUTS[PARTS[0]])


def test_data_without_row_numbers_or_inputs_is_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(INPUTS)

    with pytest.raises(BadInput, match="Stream has no length or no index"):
        LoaderFeed.of(Stream(), CPU)
    with pytest.raises(BadInput, match=r"a batch of the dataset is a (list|tuple) of 3 values; expected"):
        list(LoaderFeed.of(TensorDataset(INPUTS, LABELS, LABELS), CPU).batches(1, PARTS))
