import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import ShapeError
from tutelage.students.torch_student import TorchStudent

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))


def test_a_student_predicts_its_labels_from_probabilities_at_temperature_one():
    network = nn.Linear(4, 3)
    student = TorchStudent(network, ("a", "b", "c"))
    p = student.predict_proba(INPUTS.numpy())
    np.testing.assert_allclose(p, torch.softmax(network(INPUTS), 1).detach().numpy(), rtol=1e-5)
    assert student.predict(INPUTS.numpy()).tolist() == [("a", "b", "c")[i] for i in p.argmax(axis=1)]


def test_rows_or_classes_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ShapeError, match=r"cannot take rows of shape \(5,\)"):
        TorchStudent(nn.Linear(4, 2), (0, 1)).predict(np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="one for each of 3 classes"):
        TorchStudent(nn.Linear(4, 2), (0, 1, 2)).predict(np.zeros((1, 4)))
