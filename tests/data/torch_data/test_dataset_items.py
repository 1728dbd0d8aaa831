import numpy as np
import pytest
import torch

from tutelage.core.errors import BadInput
from tutelage.data.torch_data.dataset_items import inputs_and_truth

IDS, TAGS, MASK = torch.tensor([5, 7, 0, 0]), torch.tensor([0, 2, -100, -100]), torch.tensor([1, 1, 0, 0])
IMAGE, CLASSES = torch.zeros(1, 2, 3), torch.zeros(2, 3, dtype=torch.int64)


@pytest.mark.parametrize("pair", [(IDS, TAGS), (IMAGE, CLASSES), (IMAGE, CLASSES[None])])
def test_the_second_part_of_a_pair_is_the_truth_of_each_position_where_answers_have_some(pair):
    assert inputs_and_truth(pair, by_position=True) == pair
    batch = tuple(part[None] for part in pair)
    assert inputs_and_truth(batch, axes=1, by_position=True) == batch


def test_a_mask_is_never_the_truth():
    for by_position in (False, True):
        with pytest.raises(BadInput, match="that is a second input, such as a mask"):
            inputs_and_truth((IDS, MASK), by_position=by_position)
        with pytest.raises(BadInput, match="that is a second input, such as a mask"):
            inputs_and_truth((IDS.repeat(2, 1), MASK.repeat(2, 1)), axes=1, by_position=by_position)
    with pytest.raises(BadInput, match="that is a second input"):
        inputs_and_truth((IDS, TAGS))


def test_tags_of_two_classes_are_no_mask():
    for ids, tags in (([5, 7, 8, 9], [1, 1, 0, 0]), ([5, 7, 7, 7], [0, 1, 0, 0]), ([5, 7, 8, 8], [1, 1, 1, 0])):
        pair = (np.array(ids), np.array(tags))
        assert inputs_and_truth(pair, by_position=True) is not None


def test_a_list_of_arrays_is_refused():
    for item in (([torch.ones(3), torch.ones(3)], 1), ([np.ones(3), np.ones(3)], 1)):
        with pytest.raises(BadInput, match="the inputs of an item of the dataset are a list of 2 arrays"):
            inputs_and_truth(item)
    assert inputs_and_truth(([torch.tensor(1.0), torch.tensor(2.0)], 1))[1] == 1
