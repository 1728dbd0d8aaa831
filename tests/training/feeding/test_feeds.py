import numpy as np
import torch

from tutelage.data.views import Affine, Views
from tutelage.training.feeding.feeds import TensorFeed, ViewFeed, in_batches, step_count

INPUTS = torch.from_numpy(np.random.default_rng(0).uniform(size=(10, 1, 6, 6)).astype(np.float32))
CPU = torch.device("cpu")
PARTS = [torch.tensor([3, 1, 9, 0]), torch.tensor([7, 2])]


def test_each_epoch_shows_the_next_view_with_its_answers():
    views = Views(INPUTS, Affine(degrees=20, shift=1), count=2, seed=1)
    feed = ViewFeed(views, CPU)
    recorded = np.concatenate([part for *_, part in views.as_rows().parts(7)])
    for epoch in (1, 2, 3):
        for batch in feed.batches(epoch, PARTS):
            np.testing.assert_array_equal(batch.inputs.numpy(), recorded[batch.answer_rows.numpy()])
            assert batch.answer_rows.tolist() == (batch.rows + 10 * ((epoch - 1) % 2)).tolist()


def test_a_single_last_row_joins_the_batch_before_it():
    for rows, batch_size, expected in ((9, 4, [4, 5]), (10, 4, [4, 4, 2]), (3, 1, [1, 1, 1]), (1, 4, [1]), (8, 4, [4, 4]), (5, 4, [5])):
        parts = in_batches(torch.arange(rows), batch_size)
        assert [len(part) for part in parts] == expected
        assert torch.cat(parts).tolist() == list(range(rows))
        assert step_count(rows, batch_size=batch_size, epochs=3) == 3 * len(expected)


def test_rows_are_cast_to_the_dtype_of_the_network_and_stay_as_they_are_for_the_teacher():
    (batch,) = TensorFeed(INPUTS, torch.bfloat16).batches(1, [torch.tensor([2, 4])])
    assert batch.inputs.dtype == torch.bfloat16
    assert torch.equal(batch.as_in_data, INPUTS[[2, 4]])
    (view,) = ViewFeed(Views(INPUTS.double(), Affine(shift=1)), torch.device("cpu")).batches(1, [torch.tensor([2, 4])])
    assert view.inputs.dtype == torch.float32
