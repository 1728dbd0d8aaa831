import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tutelage.exporters.bench.multiply_adds import multiply_adds
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.linear import SoftLogistic
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(3, size=60)


def counted(student, rows):
    return multiply_adds(program_of(*subject_of(student, rows)))


def test_layers_count_their_weights_and_scales_their_columns():
    assert counted(make_pipeline(StandardScaler(), SoftLogistic()).fit(X, Y), X) == 4 + 4 + 4 * 3
    torch.manual_seed(0)
    pictures = RNG.normal(size=(4, 1, 6, 6)).astype(np.float32)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    assert counted(TorchStudent(network, classes=range(3)), pictures) == 2 * 16 * 9 + 2 * 16 + 8 * 4 + 8 * 3


def test_trees_add_one_leaf_each():
    assert counted(RandomForestRegressor(5, random_state=0).fit(X, X[:, :2]), X) == 5 * 2


def test_what_another_library_wrote_is_not_counted():
    assert counted(KNeighborsClassifier().fit(X, Y), X) is None
