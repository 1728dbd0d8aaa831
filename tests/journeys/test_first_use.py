"""A first use: the commands that the README shows first, from a pickled pipeline and a mixed table to a report and a file."""

import csv
import json
import re
import runpy
import shutil
from pathlib import Path

import pytest
from pages import ROOT, blocks, check_command
from short_runs import shortened

from tutelage.workflow.distillation.evidence import finals

QUICK = "--trials 4 --seeds 2"


def make_few_loans() -> None:
    """What `python examples/loans.py` makes, of a fifth of the rows and a tenth of the trees."""
    loans = runpy.run_path(str(ROOT / "examples" / "loans.py"))
    names = loans["main"].__globals__
    few, all_trees = names["applications"], names["RandomForestClassifier"]
    names["applications"] = lambda count, seed: few(count // 5, seed)
    names["RandomForestClassifier"] = lambda trees, **settings: all_trees(trees // 10, **settings)
    loans["main"](Path())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_first_commands_lead_from_a_pickled_pipeline_to_a_report_and_exported_files(tmp_path, monkeypatch):
    if not any(map(shutil.which, ("gcc", "clang"))):
        pytest.skip("gcc or clang is not installed; scripts/tools installs both")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finals, "MOST_CANDIDATES", 1)  # which would be tried where no student meets the limits
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shown = [block for block in blocks(ROOT / "README.md", "bash") if "distill teacher.pkl" in block.text]
    assert len(shown) == 2
    with shortened():
        for line in "".join(block.text for block in shown).replace("\\\n", " ").splitlines():
            if line == "python examples/loans.py":  # which test_examples runs as it is
                make_few_loans()
            elif " distill " in line:
                check_command(f"{line} {QUICK}" if "--students" in line else f"{line} {QUICK} --students tree,logistic", "", "README.md")
            else:
                check_command(line, "", "README.md")
    run, small = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("run", "small"))
    assert run["chosen"] in {arm["name"] for arm in run["arms"]}
    assert [one["file"] for one in run["exports"]] == ["student.onnx"]
    assert [one["target"] for one in small["exports"]] == ["C", "ONNX"]
    chosen = next(arm for arm in small["arms"] if arm["name"] == small["chosen"])
    assert chosen["excess"]["size"] <= 0
    assert chosen["excess"]["latency"] <= 0
    assert (chosen["excess"]["drop"] <= 0) != ("meets the limits" in small["answer"]), small["answer"]  # of so few trials none may meet it
    page = (tmp_path / "run" / "report.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#39;none&#39;" in policy
    assert re.search(r"script-src (&#39;sha256-[\w+/=]+&#39; ?)+$", policy.strip())  # a script of the page's own, and no other
    assert "Try the student" in page
    with (tmp_path / "answers.csv").open() as answers:
        assert len(list(csv.reader(answers))) == 1_001
