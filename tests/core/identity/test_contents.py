"""Two functions, classes or networks have the same hash only if they compute the same; each pair here differs in one thing it reads."""

import copy
import functools
import pickle
import subprocess
import sys
import types
import weakref
from collections import OrderedDict
from threading import Lock

import catboost
import lightgbm
import numpy as np
import pytest
import torch
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash

ROWS = np.arange(8.0).reshape(4, 2)
OLD, NEW = (LogisticRegression(C=c).fit(ROWS, [0, 0, 1, 1]) for c in (0.1, 10.0))


class Served:
    def __init__(self, model):
        self.model, self.lock = model, Lock()

    def __call__(self, rows):
        with self.lock:
            return self.model.predict_proba(rows)

    def named(self, rows):
        return self(rows)


class Lines(nn.Module):
    def __init__(self, scale, *, saved=True):
        super().__init__()
        self.scale = scale
        self.line = nn.Linear(2, 2)
        self.register_buffer("shift", torch.zeros(2), persistent=saved)

    def forward(self, rows):
        return self.line(rows) * self.scale + self.shift


def closure(model):
    return lambda rows: model.predict_proba(rows * 1)


def with_default(model):
    def predict(rows, model=model):
        return model.predict_proba(rows)

    return predict


def by_name(rows, *, model):
    return model.predict_proba(rows)


def written(body, **names):
    """A function of a module of its own, which is not imported from a file."""
    module = types.ModuleType("written_here")
    module.__dict__.update(names)
    exec(body, module.__dict__)  # noqa: S102 - the text of this test
    return module


def reads_a_global(model):
    return written("def f(rows): return MODEL['now'].predict_proba(rows)", MODEL={"now": model}).f


def reads_an_attribute(model):
    inner = written("def f(rows): return store.MODEL.predict_proba(rows)", store=written("", MODEL=model))
    return inner.f


def calls_a_helper(model):
    return written("def helper(rows): return MODEL.predict_proba(rows)\ndef f(rows): return helper(rows)", MODEL=model).f


def decorated(model):
    @functools.wraps(by_name)
    def wrapper(rows):
        return by_name(rows, model=model)

    return wrapper


def cached(model):
    return functools.lru_cache(closure(model))


@pytest.mark.parametrize(
    "make",
    [
        lambda model: model.predict_proba,
        Served,
        lambda model: Served(model).named,
        closure,
        with_default,
        lambda model: functools.partial(by_name, model=model),
        reads_a_global,
        reads_an_attribute,
        calls_a_helper,
        decorated,
        cached,
        lambda model: np.vectorize(closure(model)),
        lambda model: np.asarray(model.coef_).dot,
        weakref.ref,
        lambda model: make_pipeline(FunctionTransformer(closure(model)), model),
    ],
    ids=lambda make: make.__name__,
)
def test_what_a_function_reads_is_part_of_it(make):
    first, second, third = (make(model) for model in (OLD, NEW, OLD))
    assert content_hash(first) == content_hash(third) != content_hash(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda rows: rows * 2, lambda rows: rows * 3),
        (lambda rows: rows.min(), lambda rows: rows.max()),
        (lambda rows: np.exp(rows) + 1, lambda rows: np.log(rows) + 1),
        (lambda rows: (x + 1 for x in rows), lambda rows: (x + 2 for x in rows)),
        (Served(OLD), Served(NEW)),
        (np.add, np.subtract),
        (len, max),
        (int, float),
    ],
)
def test_other_code_has_another_hash(one, other):
    assert content_hash(one) != content_hash(other)


def test_methods_and_attributes_of_the_users_classes_are_content():
    kinds = [type("Model", (), members) for members in ({"scale": 1}, {"scale": 2}, {"scale": 1, "f": lambda self: 1})]
    assert len({content_hash(kind) for kind in kinds}) == len({content_hash(kind()) for kind in kinds}) == 3
    assert content_hash(type("Model", (), {"scale": 1})) == content_hash(kinds[0])


def test_a_changed_global_changes_the_hash_and_an_unused_one_does_not():
    module = written("def f(rows): return rows * SCALE", SCALE=2, OTHER=1)
    before = content_hash(module.f)
    module.OTHER = 5
    assert content_hash(module.f) == before
    module.SCALE = 3
    assert content_hash(module.f) != before


def test_a_function_that_calls_itself_has_a_hash():
    module = written("def f(n): return f(n - 1) if n else g(n)\ndef g(n): return f(n)")
    assert content_hash(module.f) == content_hash(written("def f(n): return f(n - 1) if n else g(n)\ndef g(n): return f(n)").f)


def test_a_cache_or_a_lock_is_no_content():
    function = functools.lru_cache(len)
    before = content_hash(function)
    function("abc")
    assert content_hash(function) == before
    served = Served(OLD)
    before = content_hash(served)
    with served.lock:
        assert content_hash(served) == before


@pytest.mark.parametrize("tree", [KDTree, BallTree])
def test_a_search_tree_does_not_change_as_it_answers(tree):
    made = tree(ROWS)
    before = content_hash(made)
    made.query(ROWS, k=2)
    assert content_hash(made) == before != content_hash(tree(ROWS + 1))


def networks():
    """A network, and others with the same weights that answer otherwise."""
    torch.manual_seed(0)
    plain = Lines(1.0)
    yield plain
    scaled, hooked = Lines(2.0), Lines(1.0)
    for changed in (scaled, hooked):
        changed.load_state_dict(plain.state_dict())
    hooked.register_forward_hook(lambda module, rows, out: out + 1)
    yield from (scaled, hooked)
    unsaved = Lines(1.0, saved=False)
    unsaved.line.load_state_dict(plain.line.state_dict())
    unsaved.shift += 1
    yield unsaved
    other = Lines(1.0)
    other.load_state_dict(plain.state_dict())
    other.forward = lambda rows: rows
    yield other


def test_everything_that_changes_the_answers_of_a_network_is_content():
    hashes = [content_hash(network) for network in networks()]
    assert len(set(hashes)) == len(hashes) == 5


def test_equal_networks_have_one_hash_whatever_happened_to_them():
    first, second = Lines(1.0), Lines(1.0)
    second.load_state_dict(first.state_dict())
    second(torch.ones(1, 2)).sum().backward()
    assert content_hash(first) == content_hash(second) == content_hash(torch.compile(first, backend="eager")._orig_mod)
    second.eval()
    assert content_hash(first) != content_hash(second)
    assert content_hash(first, without_modes=True) == content_hash(second, without_modes=True)


@pytest.mark.parametrize("layer", [nn.LSTM(2, 3), nn.MultiheadAttention(4, 2), nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))])
def test_layers_of_every_kind_have_a_hash_that_follows_their_weights(layer):
    before = content_hash(layer)
    with torch.no_grad():
        next(layer.parameters()).add_(1)
    assert content_hash(layer) != before


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_hash_of_a_function_is_the_same_in_every_process(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np, torch\nSETTINGS = {'a': {'x', 'y', 'z'}, 'b': 2}\n"
        "class Scale:\n    def __call__(self, rows): return rows * SETTINGS['b']\n"
        "def f(rows):\n    import further\n    return Scale()(rows) + further.SHIFT\n"
    )
    (tmp_path / "further.py").write_text("SHIFT = np_free = 3.5\n")
    code = "import mine\nfrom tutelage.core.identity.hashing import content_hash\nprint(content_hash(mine.f))"
    ran = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**__import__("os").environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    ]
    assert ran[0] == ran[1]
    (tmp_path / "further.py").write_text("SHIFT = 4.5\n")
    changed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert changed != ran[0]


def scripted(scale):
    torch.manual_seed(0)
    return torch.jit.script(Scaled(scale))


class Scaled(nn.Module):
    def __init__(self, scale: float):
        super().__init__()
        self.scale = scale
        self.line = nn.Linear(2, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.line(rows) * self.scale


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_script_is_its_code_its_weights_and_its_attributes():
    assert content_hash(scripted(1.0)) == content_hash(scripted(1.0)) != content_hash(scripted(5.0))


def test_the_order_of_layers_and_steps_is_content():
    line = nn.Linear(2, 2)
    orders = [nn.Sequential(OrderedDict(parts)) for parts in ([("act", nn.ReLU()), ("line", line)], [("line", line), ("act", nn.ReLU())])]
    assert content_hash(orders[0]) != content_hash(orders[1])
    steps = [{"log": np.log1p, "square": np.square}, {"square": np.square, "log": np.log1p}]
    first, second = ((lambda rows, steps=each: [step(rows) for step in steps.values()]) for each in steps)
    assert content_hash(first) != content_hash(second)


def test_attributes_of_a_function_and_what_pickle_would_leave_out_are_content():
    def scaled(rows):
        return rows * scaled.by

    scaled.by = 1
    before = content_hash(scaled)
    scaled.by = 2
    assert content_hash(scaled) != before

    class Quiet:
        def __init__(self, by):
            self.by = by

        def __getstate__(self):
            return {}

    assert content_hash(Quiet(1)) == content_hash(Quiet(1)) != content_hash(Quiet(2))


def test_values_that_an_object_computes_once_and_stores_are_no_content():
    class Lazy:
        @functools.cached_property
        def double(self):
            return 2

    used = Lazy()
    before = content_hash(used)
    assert used.double == 2
    assert content_hash(used) == before
    loss = tl.losses.soft_cross_entropy()
    before = content_hash(loss.terms), content_hash(loss)
    assert loss.needs
    assert (content_hash(loss.terms), content_hash(loss)) == before


def test_tensors_that_cannot_be_read_are_refused_and_conjugates_are_read():
    with pytest.raises(BadInput, match="has no content that identifies it"):
        content_hash(torch.ones(2, device="meta"))
    assert content_hash(torch.tensor([1 + 1j]).conj()) == content_hash(torch.tensor([1 - 1j]))


TWO = (np.arange(40.0).reshape(20, 2) % 7, np.arange(20) % 2)


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2),
        RandomizedSearchCV(DecisionTreeClassifier(), {"max_depth": [1, None], "criterion": ["gini"]}, n_iter=2, cv=2, random_state=0),
        VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())], voting="soft"),
        StackingClassifier([("a", LogisticRegression())], cv=2),
        KNeighborsClassifier(),
        make_pipeline(ColumnTransformer([("a", StandardScaler(), [0])]), LogisticRegression()),
        tl.DistilledClassifier(VotingClassifier([("a", LogisticRegression())], voting="soft"), tl.SoftTree()),
        lightgbm.LGBMClassifier(n_estimators=2, min_child_samples=2, verbose=-1, n_jobs=1),
        xgboost.XGBClassifier(n_estimators=2, n_jobs=1),
        catboost.CatBoostClassifier(iterations=2, verbose=0, thread_count=1, allow_writing_files=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_that_was_saved_and_loaded_is_the_same(model):
    fitted = model.fit(*TWO)
    before = content_hash(fitted)
    assert content_hash(pickle.loads(pickle.dumps(fitted))) == before  # noqa: S301 - written here
    assert content_hash(copy.deepcopy(fitted)) == before
    fitted.predict_proba(TWO[0])
    assert content_hash(fitted) == before


UNKNOWN, PADDING = "[UNK]", "[PAD]"


def fast_tokenizer(words="abc", **settings):
    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")
    vocabulary = {UNKNOWN: 0, PADDING: 1, **{word: place for place, word in enumerate(words, 2)}}
    bare = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=UNKNOWN))
    bare.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bare, unk_token=UNKNOWN, pad_token=PADDING, **{"model_max_length": 4, **settings}
    )


def test_a_fast_tokenizer_is_the_same_however_it_was_called_last():
    used = fast_tokenizer()
    before = content_hash(used)
    for settings in ({}, {"padding": True}, {"truncation": True}, {"padding": "max_length", "truncation": True}, {"padding": True}):
        used(["a b c a b c", "a"], **settings)  # the first is longer than the model takes, which it warns of once
        assert content_hash(used) == before == content_hash(fast_tokenizer())
    for other in (
        fast_tokenizer("abe"),
        fast_tokenizer(truncation_side="left"),
        fast_tokenizer(padding_side="left"),
        fast_tokenizer(model_max_length=3),
    ):
        assert content_hash(other) != before
    bare = used.backend_tokenizer
    padding = content_hash(bare)
    bare.no_padding()
    assert content_hash(bare) != padding  # that of a tokenizer without transformers is its own


def test_the_words_that_a_slow_tokenizer_caches_are_no_content(tmp_path):
    ctrl = pytest.importorskip("transformers").CTRLTokenizer
    (tmp_path / "vocab.json").write_text('{"ab": 0, "[UNK]": 1}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version\na b</w>\n", encoding="utf-8")
    used = ctrl(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), unk_token=UNKNOWN)
    before = content_hash(used)
    assert used(["ab"])["input_ids"] == [[0]]
    assert used.cache
    assert content_hash(used) == before


def test_a_teacher_around_a_fast_tokenizer_is_recorded_and_opened_again(tmp_path):
    tokenizer = fast_tokenizer()

    def ask(texts):
        return np.eye(5)[tokenizer(list(texts), padding=True, truncation=True, return_tensors="np")["input_ids"][:, 0]]

    texts = ["a b", "b", "c a b c a"]
    teacher = tl.as_teacher(ask, kind="probabilities", classes=list("upabc"))
    recorded = tl.record(teacher, texts, tmp_path / "labels")
    tokenizer(texts)
    assert tl.record(teacher, texts, tmp_path / "labels").fingerprint == recorded.fingerprint
