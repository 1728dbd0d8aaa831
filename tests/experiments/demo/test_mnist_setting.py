"""What both MNIST protocols share: the split, the networks, the published figures."""

import numpy as np
import pytest
import torch

from tutelage.data.datasets import load_mnist
from tutelage.experiments.demo.mnist import SIZES
from tutelage.experiments.demo.mnist_setting import TRAIN_ROWS, Split, glorot_weights, measured_network, pixels, teacher_network
from tutelage.training.stacks.networks import mlp, parameter_count
from tutelage.training.stacks.stack import Stack
from tutelage.training.student import TorchStudent


@pytest.fixture(scope="module")
def images():
    return load_mnist()


def test_the_networks_are_the_origins():
    assert parameter_count(teacher_network()) == 27_413_130
    assert {suffix: parameter_count(mlp(sizes)) for suffix, sizes in SIZES.items()} == {"": 8070, "-784-10-10": 7960}


def test_weights_start_as_keras_does_and_alike_in_every_copy():
    stack = glorot_weights(Stack([mlp((50, 20, 3))] * 3, wide=True))
    parameters = dict(stack.named_parameters())
    first = parameters["inner.0.weight"].detach()
    assert torch.equal(first[0], first[2])
    assert not any(parameter.any() for name, parameter in parameters.items() if "bias" in name)
    limit = (6 / (50 + 20)) ** 0.5
    assert 0.9 * limit < first.abs().max() <= limit


def test_training_validation_and_test_rows_are_disjoint(images):
    split = Split(images, train_rows=TRAIN_ROWS, epochs=1)
    assert len(split.inputs) + len(split.validation.targets) == 60_000
    np.testing.assert_array_equal(split.validation.inputs[0].numpy() * 255, images.train_images[50_000])
    np.testing.assert_array_equal(split.validation.targets.numpy(), images.train_labels[50_000:])
    np.testing.assert_array_equal(split.labels, images.train_labels[:50_000])
    np.testing.assert_array_equal(split.test_inputs, pixels(images.test_images))


def test_fewer_training_rows_are_other_data_with_the_same_validation(images):
    whole, quick = (Split(images, train_rows=rows, epochs=1) for rows in (TRAIN_ROWS, 100))
    assert quick.inputs.shape == (100, 784)
    assert quick.fingerprint != whole.fingerprint
    np.testing.assert_array_equal(quick.validation.targets, whole.validation.targets)


def test_a_part_of_the_test_rows_keeps_its_labels(images):
    split = Split(images, train_rows=100, epochs=1, every=5)
    np.testing.assert_array_equal(split.test_inputs, pixels(images.test_images[::5]))
    np.testing.assert_array_equal(split.test_labels, images.test_labels[::5])


def test_pixels_run_from_zero_to_one(images):
    rows = pixels(images.test_images[:10])
    assert (rows.min(), rows.max(), rows.dtype) == (0.0, 1.0, np.float32)


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("teacher", 248),
        ("teacher-as-published", 248),
        ("student-hard", 1366),
        ("student-hard-784-10-10", 1366),
        ("student-soft-as-published", 696),
        ("student-argmax", None),
        ("student-hard-one-softmax", None),
    ],
)
def test_the_origins_figure_stands_beside_the_arms_that_have_one(name, errors):
    models = {name: (TorchStudent(mlp((4, 3)), classes=range(3)),)}
    arm = measured_network(name, "", (0,), {name: np.zeros((1, 5), int)}, models)
    assert (arm.published or {}).get("test_errors") == errors
    assert arm.parameters == (15,)
