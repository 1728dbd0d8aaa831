"""What a file answers a row does not depend on the rows beside it, nor does a long text make others expensive."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import tutelage as tl
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.serving.model import ServedFile
from tutelage.teachers.adapters.onnx_runs import TEXT_CHARACTERS, TEXT_ROWS

WORDS = ["great", "dull", "film", "plot", "cast", "evening"]
RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(WORDS, 4)) for _ in range(60)]
SOME = [*TEXTS[:3], "dull film " * 5000, *TEXTS * 6, "great " * 9000, "", *TEXTS]
ROWS = RNG.normal(size=(200, 6))
WILD = np.concatenate([ROWS[:5], 1e4 * ROWS[5:6], ROWS[6:9]])


class Watched:
    """A session that notes how many cells each text of a run is padded to."""

    def __init__(self, session):
        self.session, self.runs = session, []

    def run(self, names, feeds):
        (cells,) = feeds.values()
        lengths = [len(cell) for cell in cells.ravel().tolist()] if cells.dtype == object else [1] * len(cells)
        self.runs.append((len(cells), max(lengths)))
        return self.session.run(names, feeds)

    def __getattr__(self, name):
        return getattr(self.session, name)


class Askers:
    """A file and the three that ask it: each from rows to answers, with a watched session."""

    def __init__(self, path, student, rows):
        subject, checked = subject_of(student, rows)
        program = program_of(subject, checked)
        teacher, served, alone = tl.as_teacher(path), ServedFile.open(path), OnnxStudent.load(path)
        self.sessions = [Watched(one.session) for one in (teacher, served, alone)]
        teacher, served, alone = (
            replace(one, session=watched) for one, watched in zip((teacher, served, alone), self.sessions, strict=True)
        )
        self.each = {
            "teacher": teacher.answer,
            "server": lambda rows: served.answer(self._checked(rows)).values,
            "proof": lambda rows: alone.answers(program, self._checked(rows)).values,
        }

    @staticmethod
    def _checked(rows):
        if isinstance(rows, np.ndarray):
            return CheckRows.of_numbers(rows)
        return CheckRows(np.empty((len(rows), 0)), np.array(rows, dtype=object)[:, None])


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory):
    student = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), tl.SoftLogistic()).fit(TEXTS, ["great" in text for text in TEXTS])
    path = tmp_path_factory.mktemp("texts") / "student.onnx"
    tl.export(student, path, check_on=TEXTS, compared_rows=100)
    return student, Askers(path, student, TEXTS)


@pytest.fixture(scope="module")
def of_ranges(tmp_path_factory):
    student = tl.SoftMLP(hidden_layer_sizes=(16,), epochs=5, random_state=0).fit(ROWS, (ROWS[:, 0] > 0).astype(int))
    path = tmp_path_factory.mktemp("ranges") / "student.onnx"
    record = tl.export(student, path, check_on=WILD, precision="int8-dynamic", max_drop=100)
    return student, Askers(path, student, ROWS), record


@pytest.mark.parametrize("who", ["teacher", "server", "proof"])
def test_a_long_text_is_not_what_all_texts_are_padded_to(of_texts, who):
    student, askers = of_texts
    np.testing.assert_allclose(askers.each[who](SOME), student.predict_proba(SOME), atol=1e-6)
    runs = askers.sessions[list(askers.each).index(who)].runs
    assert sum(rows for rows, _ in runs) == len(SOME)
    assert all(rows == 1 or (rows * longest <= TEXT_CHARACTERS and rows <= TEXT_ROWS) for rows, longest in runs)
    assert len(runs) < len(SOME) / 10  # short texts are asked together


@pytest.mark.parametrize("who", ["teacher", "server", "proof"])
def test_a_wild_row_does_not_change_the_answers_to_others(of_ranges, who):
    _, askers, _ = of_ranges
    alone = np.concatenate([askers.each[who](WILD[place : place + 1]) for place in range(len(WILD))])
    np.testing.assert_array_equal(askers.each[who](WILD), alone)


def test_the_loss_of_a_file_that_measures_ranges_is_that_of_rows_alone(of_ranges):
    student, askers, record = of_ranges
    alone = np.concatenate(
        [askers.sessions[2].session.run(["label"], {"inputs": WILD[place : place + 1]})[0] for place in range(len(WILD))]
    )
    assert record.drops[0].drop == pytest.approx(100 * np.mean(alone != student.predict(WILD)))
