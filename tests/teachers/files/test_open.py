import pickle
import sys

import catboost
import joblib
import lightgbm
import numpy as np
import pytest
import skops.io
import xgboost
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from tutelage.core.errors import BadInput, DamagedFile, MissingExtra
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.files.open import open_teacher

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = X.argmax(axis=1)
LOGISTIC = LogisticRegression().fit(X, Y)
FOREST = RandomForestClassifier(5, random_state=0).fit(X, Y)
LIGHTGBM = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 3)
XGBOOST = xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, xgboost.DMatrix(X, Y), 3)
CATBOOST = catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False, thread_count=1).fit(X, Y)


def save_onnx(path):
    path.write_bytes(to_onnx(LOGISTIC, X[:1], options={"zipmap": False}).SerializeToString())


SAVED = {
    "logistic.onnx": (save_onnx, LOGISTIC),
    "logistic.skops": (lambda path: skops.io.dump(LOGISTIC, path), LOGISTIC),
    "forest.skops": (lambda path: skops.io.dump(FOREST, path), FOREST),
    "booster.txt": (LIGHTGBM.save_model, LIGHTGBM),
    "booster.lgb": (LIGHTGBM.save_model, LIGHTGBM),
    "booster.json": (XGBOOST.save_model, XGBOOST),
    "booster.ubj": (XGBOOST.save_model, XGBOOST),
    "booster.cbm": (lambda path: CATBOOST.save_model(str(path)), CATBOOST),
}


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("name", SAVED)
def test_the_opened_teacher_answers_like_the_saved_model(tmp_path, name):
    save, model = SAVED[name]
    save(tmp_path / name)
    teacher, original = open_teacher(str(tmp_path / name)), as_teacher(model)
    assert teacher.form == original.form
    np.testing.assert_allclose(teacher.answer(X), original.answer(X), atol=1e-6)
    assert teacher.fingerprint == open_teacher(str(tmp_path / name)).fingerprint


def test_declarations_are_passed_on(tmp_path):
    LIGHTGBM.save_model(tmp_path / "booster.txt")
    assert open_teacher(str(tmp_path / "booster.txt"), classes=("x", "y", "z")).form.classes == ("x", "y", "z")
    with pytest.raises(BadInput, match="leave kind= out"):
        open_teacher(str(tmp_path / "booster.txt"), kind="logits")


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: b"hello\n", lambda whole: whole[: len(whole) // 2]], ids=["empty", "other", "half"]
)
def test_a_damaged_file_is_refused(tmp_path, name, damage, capfd):
    SAVED[name][0](tmp_path / name)
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(DamagedFile, match=rf"{name} is not "):
        open_teacher(str(tmp_path / name))


def test_forged_tree_sizes_in_a_lightgbm_file_are_ignored(tmp_path):
    path = tmp_path / "booster.txt"
    LIGHTGBM.save_model(path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join("tree_sizes=9 9 999999 9 9 9 9 9 9\n" if line.startswith("tree_sizes=") else line for line in lines))
    np.testing.assert_array_equal(open_teacher(str(path)).answer(X), LIGHTGBM.predict(X))


def test_a_forest_with_invalid_child_nodes_is_refused(tmp_path):
    forest = RandomForestClassifier(1, random_state=0).fit(X, Y)
    forest.estimators_[0].tree_.children_left[0] = 10**6
    skops.io.dump(forest, tmp_path / "forest.skops")
    with pytest.raises(DamagedFile, match="a tree whose nodes point outside it"):
        open_teacher(str(tmp_path / "forest.skops"))


def test_skops_types_that_could_run_code_need_trust(tmp_path):
    path = tmp_path / "function.skops"
    skops.io.dump(FunctionTransformer(joblib.hash), path)
    with pytest.raises(BadInput, match=r"holds types that could run code when loaded: joblib\.hashing\.hash\. .*--trust"):
        open_teacher(str(path))
    with pytest.raises(BadInput, match="cannot use a FunctionTransformer"):  # loaded, but not a model
        open_teacher(str(path), trust=True)


class WritesWhenLoaded:
    """A pickle of it writes a file when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("suffix", [".pkl", ".joblib"])
def test_a_pickle_is_loaded_only_with_trust(tmp_path, suffix):
    path = tmp_path / f"teacher{suffix}"
    path.write_bytes(pickle.dumps(WritesWhenLoaded(tmp_path / "ran")))
    with pytest.raises(BadInput, match=r"loading it can run any code .* pass --trust .* save it with skops"):
        open_teacher(str(path))
    assert not (tmp_path / "ran").exists()
    joblib.dump(LOGISTIC, path)
    np.testing.assert_array_equal(open_teacher(str(path), trust=True).answer(X), LOGISTIC.predict_proba(X))
    path.write_bytes(b"\x80\x04damaged")
    with pytest.raises(DamagedFile, match="cannot be loaded"):
        open_teacher(str(path), trust=True)


def test_a_suffix_in_capitals_says_what_a_file_is(tmp_path):
    model = LogisticRegression().fit(X, np.arange(len(X)) % 2)
    skops.io.dump(model, tmp_path / "MODEL.SKOPS")
    (tmp_path / "MODEL.ONNX").write_bytes(to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString())
    for name in ("MODEL.SKOPS", "MODEL.ONNX"):
        np.testing.assert_allclose(open_teacher(str(tmp_path / name)).answer(X), model.predict_proba(X), atol=1e-5)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory; modules imported from it are removed from `sys.modules` afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_teacher"):
            del sys.modules[name]


def test_an_object_of_a_module_in_the_current_folder_is_opened(here):
    (here / "my_teacher.py").write_text("def scores(rows):\n    return rows[:, 0]\n")
    path = list(sys.path)
    teacher = open_teacher("my_teacher:scores", kind="logits", classes=("no", "yes"))
    np.testing.assert_array_equal(teacher.answer(X)[:, 1], X[:, 0])
    assert sys.path == path


def test_an_object_of_a_module_in_a_package_is_opened(here):
    (here / "my_teachers").mkdir()
    (here / "my_teachers" / "first.py").write_text(
        "from sklearn.linear_model import LinearRegression\nmodel = LinearRegression().fit([[0], [1]], [0, 1])\n"
    )
    assert open_teacher("my_teachers.first:model").form.task == "regression"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import sys\nsys.exit(0)\n",
            r"SystemExit: its code called sys.exit\(0\), which ends .*\); what it does as a program belongs",
        ),
        ("raise ValueError('no weights')\n", r"\(ValueError: no weights\); mend it"),
    ],
)
def test_a_module_that_fails_as_it_is_imported_is_said(here, code, message):
    (here / "my_teacher.py").write_text(code)
    with pytest.raises(BadInput, match=f"the module of my_teacher:scores cannot be imported .*{message}"):
        open_teacher("my_teacher:scores")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_teacher:score", r"the module my_teacher has no 'score'; .* Did you mean scores\?"),
        ("my_other_teacher:scores", "there is no module my_other_teacher to import"),
        ("my_teacher:broken", "has no 'broken'"),
        ("my_teacher:", "is neither a file nor module:object"),
        (":scores", "is neither a file nor module:object"),
        ("my_teacher:a:b", "is neither a file nor module:object"),
        ("https://example.org/teacher", "expected a path of this machine: rows and recorded answers alone may be elsewhere"),
    ],
)
def test_a_missing_object_is_refused(here, name, message):
    (here / "my_teacher.py").write_text("scores = None\n")
    with pytest.raises(BadInput, match=message):
        open_teacher(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("teacher.skop", r"cannot tell what kind of teacher teacher\.skop is; expected \.onnx, .* Did you mean \.skops\?"),
        ("teacher", "cannot tell what kind of teacher teacher is"),
        ("booster.ubj", r"there is no file booster\.ubj; name the teacher's file\.$"),
        ("fores.skops", r"there is no file fores\.skops; .* Did you mean forest\.skops\?"),
        ("C:\\models\\booster.txt", "there is no file"),
        ("weights.pt", "holds weights but no network; .* load_weights"),
        ("weights.safetensors", "holds weights but no network"),
    ],
)
def test_unsuitable_files_are_refused_with_a_remedy(here, name, message):
    (here / "forest.skops").write_bytes(b"")
    with pytest.raises(BadInput, match=message):
        open_teacher(name)


def test_a_missing_package_is_named_with_its_extra(here, monkeypatch):
    LIGHTGBM.save_model(here / "booster.txt")
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra, match=r"tutelage\[boosting\]"):
        open_teacher("booster.txt")


def test_a_folder_of_recorded_answers_is_no_teacher(here):
    (here / "labels").mkdir()
    with pytest.raises(
        BadInput, match=r"labels is a folder, such as one of recorded answers, which cannot answer new rows; expected \.onnx,"
    ):
        open_teacher("labels")


def test_a_language_model_is_opened_by_its_name():
    teacher = open_teacher("chat:m-1", classes=["spam", "ham"])
    assert (teacher.model, teacher.form.classes) == ("m-1", ("spam", "ham"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "pass classes="),
        ({"classes": ["a", "b"], "kind": "logits"}, "kind= was passed"),
        ({"classes": ["a", "b"], "version": "1"}, "version="),
    ],
)
def test_a_language_model_is_told_its_classes_and_nothing_else(given, sentence):
    with pytest.raises(BadInput, match=sentence):
        open_teacher("chat:m-1", **given)


@pytest.mark.parametrize("name", ["chat:", "chat: "])
def test_a_language_model_without_a_name_is_said_to_have_none(name):
    with pytest.raises(BadInput, match="names no model; expected chat:MODEL"):
        open_teacher(name)
