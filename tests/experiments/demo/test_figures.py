import numpy as np

from tutelage.experiments.demo.figures import confusion, mean_soft_labels


def test_what_the_teacher_knows_is_the_mean_soft_label_of_each_true_class():
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    matrix = mean_soft_labels(p, np.array([0, 0, 1]), ("cat", "dog"), temperature=4.0)
    np.testing.assert_allclose(matrix.values, [[0.8, 0.2], [0.2, 0.8]])
    assert matrix.labels == ("cat", "dog")
    assert "temperature 4" in matrix.title


def test_a_confusion_counts_every_seed_and_its_rows_sum_to_one():
    predictions = np.array([[0, 1, 1, 0], [0, 0, 1, 1]])
    matrix = confusion("tree", predictions, np.array([0, 0, 1, 1]), ("a", "b"))
    np.testing.assert_allclose(matrix.values, [[0.75, 0.25], [0.25, 0.75]])
    assert (matrix.rows_are, matrix.columns_are) == ("true class", "predicted class")
    assert "tree" in matrix.title
