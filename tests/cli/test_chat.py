"""A language model as the teacher of a command."""

import json
import shutil
import sys

import pytest
from chat_endpoint import KEY, completion, first_token, serving, text_of
from short_runs import shortened

import tutelage as tl
from tutelage.cli import main

WORDS = ["parcel", "garden", "carpet", "letter", "summer", "coffee", "autumn", "market", "yellow", "silver"]


def mails(path, count=12, **columns):
    """Texts of which every other is spam, by a word of theirs."""
    lines = [
        {
            "id": number,
            "content": f"{WORDS[number % 10]} {WORDS[number // 10 % 10]} {'win money now' if number % 2 else 'see you soon'} {number}",
            "label": "spam" if number % 2 else "ham",
            **{name: value(number) for name, value in columns.items()},
        }
        for number in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return [line["content"] for line in lines]


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def endpoint():
    with serving() as running:
        yield running


RECORD = ["record", "chat:m-1", "--data", "mails.jsonl", "--text", "content", "--into", "labels"]


def test_answers_are_recorded_with_a_cache_beside_them(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl")
    command = [*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url, "--votes", "3"]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "labels: probabilities for the classes ['spam', 'ham'], 12 rows in 1 file" in shown.out
    assert "m-1: 12 of 12 texts have a class, from 36 answers." in shown.err
    assert "Two votes about a text agree in 100 %" in shown.err
    assert endpoint.asked == dict.fromkeys(texts, 1)
    assert [path.name for path in (tmp_path / "labels.answers").iterdir()] == ["answers.jsonl"]
    assert main(command) == 0
    assert len(endpoint.bodies) == 12


def test_what_is_recorded_is_not_asked_again_where_stored_answers_are_gone(endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    command = [*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url]
    assert main(command) == 0
    shutil.rmtree("labels.answers")
    capsys.readouterr()
    assert main(command) == 0
    assert "12 rows in 1 file" in capsys.readouterr().out
    assert main([*command, "--votes", "3"]) == 2
    assert "holds another recording" in capsys.readouterr().err
    assert len(endpoint.bodies) == 12


def test_a_language_model_that_a_module_defines_is_recorded_as_one(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl")
    lines = ["import tutelage as tl", f"teacher = tl.teachers.chat('m-1', ['spam', 'ham'], endpoint={endpoint.url!r}, votes=2)"]
    (tmp_path / "mails_model.py").write_text("\n".join(lines), encoding="utf-8")
    command = ["record", "mails_model:teacher", *RECORD[2:], "--shard-rows", "6"]

    def in_a_new_process():
        sys.modules.pop("mails_model", None)
        return main(command)

    assert main([*command, "--dry-run"]) == 0
    assert "m-1" in capsys.readouterr().out
    assert endpoint.bodies == []
    assert in_a_new_process() == 0
    assert "m-1: 12 of 12 texts have a class, from 24 answers." in capsys.readouterr().err
    assert endpoint.asked == dict.fromkeys(texts, 1)
    assert in_a_new_process() == 0
    assert len(endpoint.bodies) == 12
    (tmp_path / "labels" / "manifest.json").unlink()
    (tmp_path / "labels" / "part-00001.parquet").unlink()
    assert in_a_new_process() == 0
    assert len(endpoint.bodies) == 18  # the six that were not recorded any more


def test_the_endpoint_is_that_of_the_environment(endpoint, tmp_path, monkeypatch):
    mails(tmp_path / "mails.jsonl")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    assert main([*RECORD, "--classes", "spam,ham"]) == 0
    assert len(endpoint.bodies) == 12


def test_without_names_the_classes_are_those_of_the_truth(endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl", label=lambda number: None if number == 3 else ["ham", "spam"][number % 2])
    assert main([*RECORD, "--truth", "label", "--drop", "id", "--endpoint", endpoint.url]) == 0
    assert "classes ['ham', 'spam']" in capsys.readouterr().out
    assert "1. ham\n2. spam" in endpoint.bodies[0]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "does not name its classes, and no --truth says which there are; pass --classes"),
        (["--truth", "label", "--truth", "id"], "the ground truth has several columns"),
        (["--truth", "many"], "holds 120 different values, too many for classes"),
        (["--classes", "spam,ham", "--kind", "logits"], "--kind does not apply to the language model chat:m-1"),
        (["--classes", "spam,ham", "--answers", "id"], "--answers does not apply to the language model"),
        (["--classes", "spam,ham", "--budget", "5"], "no --price says what tokens cost"),
        (["--classes", "spam,ham", "--budget", "5 cows"], "budget is '5 cows'"),
        (["--classes", "spam,ham", "--price", "5"], "write IN,OUT"),
        (["--classes", "spam,ham", "--prompt", "missing.txt"], "missing.txt, which cannot be read"),
        (["--classes", "spam,ham", "--logprobs", "--votes", "2"], "pass one of the two"),
        (["--classes", "spam,ham", "--endpoint", "nowhere"], "expected an address"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_asked(options, sentence, endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl", 120, many=lambda number: f"value {number}")
    given = options if "--endpoint" in options else [*options, "--endpoint", endpoint.url]
    assert main([*RECORD, *given]) == 2
    assert sentence in capsys.readouterr().err
    assert endpoint.bodies == []
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--cache", "labels"], "--cache is labels, and labels, a folder of results, is the same folder. Choose another folder for one"),
        (["--cache", "labels/answers"], "labels, a folder of results, lies around it"),
        (["--cache", "kept", "--into", "kept/labels"], "kept/labels, a folder of results, lies inside it"),
        (["--into", "memory://lake/labels"], "cannot be recorded into memory://lake/labels; record into a folder of this machine"),
        (["--into", "memory://lake/labels", "--cache", "kept"], "cannot be recorded into memory://lake/labels"),
        (["--top-k", "9"], "top_k is 9; expected 1 to 1"),
        (["--into", "planned"], "planned holds a plan"),
        (["--into", "others"], "others already holds other files, which would be lost. Choose another folder, or move"),
        (["--into", "part"], "part-00000.parquet"),
        (["--into", "finished", "--ask-again", "2"], "finished holds another recording"),
    ],
)
def test_what_could_not_be_recorded_is_refused_before_anything_is_asked(options, sentence, endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl")
    other = tl.as_teacher(lambda rows: [[0.5, 0.5]] * len(rows), kind="probabilities", classes=["spam", "ham"], version="1")
    tl.plan(other, texts, "planned")
    tl.record(other, texts, "finished")
    shutil.copytree("finished", "part")
    (tmp_path / "part" / "manifest.json").unlink()
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "answers.jsonl").write_text("")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main([*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url, *options]) == 2
    assert sentence in capsys.readouterr().err
    assert endpoint.bodies == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("cache", ["run", "run/answers", "../{here}/run"])
def test_a_distillation_stores_its_answers_beside_its_folder(cache, endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    command = [
        "distill",
        "chat:m-1",
        "--data",
        "mails.jsonl",
        "--text",
        "content",
        "--truth",
        "label",
        "--drop",
        "id",
        "--endpoint",
        endpoint.url,
    ]
    assert main([*command, "--out", "run", "--cache", cache.format(here=tmp_path.name)]) == 2
    assert "run, a folder of results, " in capsys.readouterr().err
    assert endpoint.bodies == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("teacher", ["labels", "votes.jsonl", "json:loads"])
def test_options_of_a_language_model_are_refused_for_others(teacher, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    (tmp_path / "votes.jsonl").write_text("{}")
    (tmp_path / "labels").mkdir()
    command = ["preflight", teacher, "--data", "mails.jsonl", "--text", "content", "--votes", "3"]
    assert main(command) == 2
    assert "--votes does not apply" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:.*were used to train")
def test_a_comparison_asks_only_a_teacher_that_it_compares_with_and_stores_the_answers(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl", 20)
    other = tl.as_teacher(lambda rows: [[0.7, 0.3]] * 10 + [[0.2, 0.8]] * 10, kind="probabilities", classes=["spam", "ham"], version="1")
    tl.record(other, texts, "recorded")
    rows = ["--data", "mails.jsonl", "--text", "content"]
    for run in ("run", "run2"):
        assert main(["train", "logistic", "--labels", "recorded", *rows, "--out", run]) == 0
    compare = ["compare", "run", "run2", *rows, "--teacher", "chat:m-1", "--classes", "spam,ham", "--endpoint", endpoint.url]
    capsys.readouterr()
    assert main([*compare, "--truth", "label"]) == 0
    assert "against the truth" in capsys.readouterr().out
    assert main([*compare, "--truth", "label", "--metric", "agreement"]) == 2
    assert "against the truth expected one of accuracy" in capsys.readouterr().err
    assert main([*compare, "--metric", "accuracy"]) == 2
    assert "against the teacher expected one of agreement" in capsys.readouterr().err
    assert main([*compare, "--cache", "run2/answers"]) == 2
    assert "run2, a folder of results, lies around it" in capsys.readouterr().err
    assert endpoint.bodies == []
    for _ in range(2):
        assert main([*compare, "--truth", "label", "--against", "teacher"]) == 0
        assert "against the teacher" in capsys.readouterr().out
    assert endpoint.asked == dict.fromkeys(texts, 1)
    assert (tmp_path / "run.answers" / "answers.jsonl").is_file()


@pytest.mark.parametrize("command", ["record", "distill"])
def test_a_dry_run_says_what_it_costs_and_sends_nothing(command, endpoint, tmp_path, monkeypatch, capsys):
    mails(tmp_path / "mails.jsonl", 100)
    monkeypatch.delenv("OPENAI_API_KEY")
    into = {"record": "--into", "distill": "--out"}[command]
    options = ["--classes", "spam,ham", "--endpoint", endpoint.url, "--price", "1,10", "--budget", "0.001", "--votes", "2", "--dry-run"]
    given = [command, "chat:m-1", "--data", "mails.jsonl", "--text", "content", into, "new", *options]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "m-1 at 127.0.0.1: 100 texts; 100 requests." in shown
    assert "Price: about 0.0088, at most" in shown
    assert "Budget: 0.001, not enough for this; asking would stop on the way." in shown
    assert "Nothing was sent." in shown
    assert main([*given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["likely"]["requests"] == 100
    assert endpoint.bodies == []
    assert [path.name for path in tmp_path.iterdir()] == ["mails.jsonl"]


def test_some_texts_are_asked_again_on_request(endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    command = [*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url, "--ask-again", "5"]
    assert main([*command, "--budget", "16 requests", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "12 texts; 17 requests." in shown
    assert "Budget: 16 requests, not enough for this" in shown
    assert main(command) == 0
    assert len(endpoint.bodies) == 17
    assert "Asked twice, the model decides 100 % of 5 texts alike" in capsys.readouterr().err
    assert sorted(endpoint.asked.values()) == [1] * 7 + [2] * 5
    assert main([*command, "--dry-run"]) == 0
    assert "12 texts, 12 answered before; 0 requests." in capsys.readouterr().out


def test_other_teachers_are_not_asked_again_and_have_a_short_dry_run(tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    lengths = "import numpy as np\n\ndef lengths(texts):\n    return np.array([len(text) / 100 for text in texts])\n"
    (tmp_path / "by_length.py").write_text(lengths)
    command = ["record", "by_length:lengths", *RECORD[2:], "--kind", "probabilities", "--classes", "short,long"]
    assert main([*command, "--ask-again", "5"]) == 2
    assert "--ask-again does not apply to by_length:lengths" in capsys.readouterr().err
    assert main([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out == "by_length:lengths would be asked 12 rows. Nothing was asked.\n"
    assert not (tmp_path / "labels").exists()


def test_a_budget_ends_a_recording_which_goes_on_with_a_larger_one(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl")
    command = [*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url, "--budget"]
    assert main([*command, "5 requests"]) == 2
    assert "the budget of 5 requests allows no further request" in capsys.readouterr().err
    assert main([*command, "12 requests"]) == 0
    assert endpoint.asked == dict.fromkeys(texts, 1)


def test_the_checks_ask_no_text_twice_and_report_the_ceiling_of_votes(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl", 60)
    endpoint.answer = lambda body: completion(body, *(["spam", "spam", "ham"] if "win" in text_of(body) else ["ham"] * 3))
    options = ["--classes", "spam,ham", "--endpoint", endpoint.url, "--votes", "3", "--cache", "kept", "--truth", "label", "--drop", "id"]
    assert main(["preflight", "chat:m-1", "--data", "mails.jsonl", "--text", "content", *options, "--json"]) == 0
    found = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert found["repeatable"]["severity"] == "note"
    assert "answers of a language model are stored" in found["repeatable"]["sentence"]
    assert found["ceiling"]["figure"]["agreement"] == pytest.approx((1 / 3 + 1) / 2)
    assert endpoint.asked == dict.fromkeys(texts, 1)


def test_log_probabilities_and_a_prompt_of_ones_own(endpoint, tmp_path, capsys):
    mails(tmp_path / "mails.jsonl")
    (tmp_path / "prompt.txt").write_text("{classes}? {text}", encoding="utf-8")
    endpoint.answer = lambda body: completion(body, first_token(**{"1": -0.2, "2": -1.8}))
    assert main([*RECORD, "--classes", "spam,ham", "--endpoint", endpoint.url, "--logprobs", "--prompt", "prompt.txt"]) == 0
    assert "Outside the classes: 1.6" in capsys.readouterr().err
    assert endpoint.bodies[0]["messages"][0]["content"].startswith("1. spam\n2. ham? ")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_that_goes_on_asks_nothing_again_even_without_a_cache(endpoint, tmp_path):
    texts = mails(tmp_path / "mails.jsonl", 240)
    truth = ["spam" if "win" in text else "ham" for text in texts]
    for _ in range(2):
        teacher = tl.teachers.chat("m-1", ["spam", "ham"], endpoint=endpoint.url, votes=2)
        with shortened():
            found = tl.distill(teacher, texts, truth, students=["logistic"], trials=1, seeds=2, export="py", into="run")
        (tmp_path / "run" / "results.json").unlink()
    assert found.record.title == "m-1"
    assert len(endpoint.bodies) == 240


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.filterwarnings("default:.*among those on which the student was trained")
def test_a_language_model_is_distilled_into_a_classifier(endpoint, tmp_path, capsys):
    texts = mails(tmp_path / "mails.jsonl", 240)
    command = ["distill", "chat:m-1", "--data", "mails.jsonl", "--text", "content", "--truth", "label", "--drop", "id", "--endpoint"]
    command += [endpoint.url, "--students", "logistic", "--trials", "1", "--seeds", "2", "--out", "run", "--export", "py"]
    with shortened():
        assert main(command) == 0
    shown = capsys.readouterr()
    assert "chat:m-1" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "m-1: 240 of 240 texts have a class, from 240 answers." in shown.err
    assert endpoint.asked == dict.fromkeys(texts, 1)
    cost = json.loads((tmp_path / "run" / "work" / "teacher_cost.json").read_text(encoding="utf-8"))
    assert cost["alone"]["calls"] == 240
    assert cost["alone"]["p50_us"] > 100
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert main(command) == 0
    assert len(endpoint.bodies) == 240
    capsys.readouterr()
    options = ["--teacher", "chat:m-1", "--classes", "ham,spam", "--endpoint", endpoint.url]
    assert main(["evaluate", "run", "--data", "mails.jsonl", *options]) == 0  # from run.answers
    assert "agreement" in capsys.readouterr().out
    assert len(endpoint.bodies) == 240
