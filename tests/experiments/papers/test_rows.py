"""The problems of the run `unlabelled`, their teachers, and what is said of how many labels are few."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.experiments.cache import Store
from tutelage.experiments.few_labels import labelled_rows
from tutelage.experiments.papers.rows import posts, problems, unlabelled
from tutelage.experiments.papers.rows.posts import Posts, read_posts
from tutelage.experiments.papers.rows.problems import Problem, Size, Training, counts_of, of_posts, of_table, sources
from tutelage.experiments.papers.rows.tables import ensemble, every_class
from tutelage.experiments.papers.stacked import Arm, Students

TINY = Size(counts=(20,), table_rows=60, trees=4, rounds=3, folds=3, columns=3, tables=Training((8,), 10, 10, 0.02), names=("waves",))
GROUPS = ("cars", "space", "trade")


def test_numbers_of_labels_end_with_all_rows():
    assert counts_of(898, (100, 300, 1000)) == (100, 300, 898)
    assert counts_of(1000, (100, 300, 1000)) == (100, 300, 1000)


@pytest.mark.parametrize(
    ("verdicts", "most", "words"),
    [
        ({100: "beats", 300: "beats", 1000: "no difference"}, 300, "better with 100, 300 labels; no difference found with 1,000 labels"),
        ({100: "worse", 300: "no difference"}, 0, "no difference found with 300 labels; worse with 100 labels"),
        ({100: "no difference", 300: "beats"}, 300, "better with 300 labels; no difference found with 100 labels"),
    ],
)
def test_the_reach_is_the_largest_number_of_labels_with_a_gain_and_every_verdict_is_said(verdicts, most, words):
    assert unlabelled.reach(verdicts) == (most, words)


def test_classes_that_a_model_has_not_seen_have_no_probability():
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((60, 3)), np.repeat([0, 2], 30)
    rows[:, 0] += labels
    answers = ensemble(rows, labels, trees=5, rounds=5, seed=0, classes=4)(rows)
    assert answers.shape == (60, 4)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    assert (answers[:, [1, 3]] == 0).all()
    assert (answers.argmax(axis=1) == labels).mean() > 0.9

    class Fixed:
        classes_ = np.array([1, 2])

        def predict_proba(self, rows):
            return np.tile([0.25, 0.75], (len(rows), 1))

    np.testing.assert_array_equal(every_class(Fixed(), rows[:1], 3), [[0, 0.25, 0.75]])


def test_trees_answer_a_labelled_row_without_its_own_label():
    problem = of_table("waves", TINY, 0)
    at = labelled_rows(len(problem.labels), 20, 0)
    before, _ = problem.teach(at, 0)
    problem.labels[at[0]] = 1 - problem.labels[at[0]]
    after, test = problem.teach(at, 0)
    np.testing.assert_array_equal(after[at[0]], before[at[0]])
    assert (after != before).any()
    assert test.shape == (len(problem.test_labels), 2)


def test_labels_of_rows_that_were_not_drawn_teach_nobody():
    problem = of_table("waves", TINY, 0)
    at = labelled_rows(len(problem.labels), 20, 0)
    before = problem.teach(at, 0)
    others = np.setdiff1d(np.arange(len(problem.labels)), at)
    problem.labels[others] = 1 - problem.labels[others]
    for one, other in zip(before, problem.teach(at, 0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_arm_of_a_stack_may_have_a_teacher_of_its_own(tmp_path):
    rows = np.random.default_rng(0).standard_normal((400, 4)).astype(np.float32)
    logits = np.stack([np.column_stack([np.zeros(400), 6 * rows[:, place]]) for place in range(2)])
    students = Students((4, 16, 2), (Arm(), Arm()), 1, 12, 20, 2e-2, Store(tmp_path))
    stack = students.fresh(0, inputs=rows, logits=logits, truth=None)
    found = students.logits(stack, rows)[0].argmax(axis=-1)
    for place in range(2):
        assert (found[place] == (rows[:, place] > 0)).mean() > 0.95


def test_teacher_and_student_have_the_same_labels_and_the_taught_student_follows_its_teacher(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 2)).astype(np.float32)
    given = []

    def teach(at, seed):
        given.append(at.tolist())
        return tuple(np.column_stack([x[:, 1] <= 0, x[:, 1] > 0]).astype(float) for x in (rows, rows))

    truth = (rows[:, 0] > 0).astype(np.int64)
    problem = Problem(rows, truth, rows, truth, 2, teach, Training((16,), 20, 20, 0.02), shared_test=True)
    task = unlabelled._Seed({"made": lambda seed: problem}, replace(TINY, counts=(100,)), Store(tmp_path))
    counts, shared, wrong = task(("made", 3))
    assert counts == (100, 200)
    assert shared
    assert given == [labelled_rows(200, count, 3).tolist() for count in counts]
    alone, teacher, taught, both, answered = wrong.mean(axis=2)
    assert (alone < 0.15).all()
    np.testing.assert_allclose(taught, teacher, atol=0.06)
    assert both[1] < 0.1  # all labels are in place of the answers
    assert both[0] < taught[0] - 0.05
    np.testing.assert_allclose(answered, teacher, atol=0.1)
    assert answered[1] == taught[1]  # all rows have labels
    assert task(("made", 3))[2].tolist() == wrong.tolist()
    assert len(given) == 2


def written(folder, monkeypatch, *, train="cars\twheel road\nspace\tmoon rocket\n", test="space\trocket\n"):
    head = "Category\tText\nd\tstring\nclass\t\n"
    for name, text in (("20newsgroups-train.tab", train), ("20newsgroups-test.tab", test)):
        (folder / name).write_text(head + text)
        monkeypatch.setitem(posts.SHA256, name, hashlib.sha256((head + text).encode()).hexdigest())


def test_posts_are_read_with_the_place_of_their_group(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch)
    found = read_posts(tmp_path)
    assert found.groups == ("cars", "space")
    assert found.texts == ("wheel road", "moon rocket")
    assert found.labels.tolist() == [0, 1]
    assert found.test_labels.tolist() == [1]


def test_other_files_of_posts_are_refused(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch)
    (tmp_path / "20newsgroups-test.tab").write_text("Category\tText\n")
    with pytest.raises(DamagedFile, match=r"20newsgroups-test.tab is damaged or another file: its SHA-256 is .* Take it from"):
        read_posts(tmp_path)
    (tmp_path / "20newsgroups-train.tab").unlink()
    with pytest.raises(DamagedFile, match=r"20newsgroups-train.tab cannot be read"):
        read_posts(tmp_path)


def test_a_linear_model_of_all_words_teaches_posts_and_students_see_the_most_frequent_ones():
    words = ("wheel road engine", "moon rocket orbit", "price market tariff")
    labels = np.tile(np.arange(3), 10)
    texts = tuple(f"{words[label]} noise{place % 2}" for place, label in enumerate(labels))
    problem = of_posts(Posts(texts, labels, texts[:6], labels[:6], GROUPS), TINY, 0)
    assert problem.inputs.shape == (30, TINY.columns)
    assert problem.inputs.dtype == np.float32
    own, test = problem.teach(np.flatnonzero(labels < 2), 0)
    assert (own[:, 2] == 0).all()
    assert (test.argmax(axis=1) == labels[:6])[labels[:6] < 2].all()


def test_what_is_not_there_is_left_out_and_said_and_a_folder_of_nothing_is_refused(tmp_path, monkeypatch):
    found, left_out = sources(None, TINY)
    assert list(found) == ["waves"]
    assert [sentence.split(" is left out")[0] for sentence in left_out] == ["Fashion-MNIST", "20 newsgroups"]
    with pytest.raises(BadInput, match="holds the files of no data set; expected train-images"):
        sources(tmp_path, TINY)
    written(tmp_path, monkeypatch)
    found, left_out = sources(tmp_path, replace(TINY, names=()))
    assert list(found) == ["20 newsgroups"]
    assert len(left_out) == 1
    assert "train-images-idx3-ubyte.gz" in left_out[0]


def test_pictures_are_taught_by_a_network_that_saw_the_labelled_ones():
    draws = np.random.default_rng(0)
    labels = draws.integers(0, 3, 90)
    pictures = np.zeros((90, 784), dtype=np.uint8)
    for row, label in enumerate(labels):
        pictures[row, 200 * label : 200 * label + 200] = 255
    images = problems.Images("bands", pictures, labels, pictures[:30], labels[:30], GROUPS, "")
    size = replace(TINY, rows=90, test_rows=30, teacher=problems.Teacher(16, 60, 16, 0.01))
    problem = problems.of_pictures(images, size, 0)
    own, test = problem.teach(labelled_rows(90, 30, 0), 0)
    assert (own.argmax(axis=1) == labels).all()
    assert (test.argmax(axis=1) == labels[:30]).all()
    assert problem.sizes == (784, 64, 64, 3)
    assert problem.steps == 10 * 90 // 128
