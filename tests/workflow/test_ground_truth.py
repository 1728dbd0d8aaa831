import numpy as np
import pandas as pd
import pytest

from tutelage.cli import main
from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import LabelMismatch
from tutelage.data.table_file import TableFile
from tutelage.workflow.ground_truth import check_labels, check_values, in_label_order

FRAME = pd.DataFrame({"size": [1.0, 2.0, 3.0], "y": [0, 1, 0], "on": [True, False, True], "rain": [0, 1, 1], "wind": [1, 1, 0]})


@pytest.fixture(params=[".parquet", ".csv"])
def path(request, tmp_path):
    path = tmp_path / f"rows{request.param}"
    FRAME.to_parquet(path) if request.param == ".parquet" else FRAME.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("name", "classes"), [("y", ("0", "1")), ("on", ("True", "False")), ("on", ("false", "true"))])
def test_numbers_where_the_classes_are_texts_are_named_with_their_column(path, name, classes):
    expected = f"column '{name}' of .* holds numbers or truth values where the classes .* are texts; .* dtype={{'{name}': 'text'}}"
    form = of_classes("probabilities", classes)
    with pytest.raises(LabelMismatch, match=expected):
        check_labels(form, TableFile.open(path, truth=[name]))
    declared = TableFile.open(path, truth=[name], dtype={name: "text"})
    check_labels(form, declared)
    assert {str(label).lower() for label in declared.truth_values()} == {label.lower() for label in classes}


def test_texts_where_the_classes_are_numbers_are_named_too(tmp_path):
    FRAME.astype({"y": str}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(LabelMismatch, match=r"holds texts where the classes .* are numbers; .* dtype={'y': 'number'}"):
        check_labels(of_classes("probabilities", (0, 1)), TableFile.open(tmp_path / "rows.parquet", truth=["y"]))
    check_labels(of_classes("probabilities", (0, 1)), TableFile.open(tmp_path / "rows.parquet", truth=["y"], dtype={"y": "number"}))


def test_labels_of_other_names_are_left_to_those_who_know_them(path):
    for classes in (("no", "yes"), (0, 1, 7), (0, "1")):
        check_labels(of_classes("probabilities", classes), TableFile.open(path, truth=["y"]))


def test_columns_of_labels_are_ordered_and_others_left(path):
    file = TableFile.open(path, truth=["wind", "rain"])
    assert in_label_order(AnswerForm("probabilities", "multilabel", ("rain", "wind")), file).truth == ("rain", "wind")
    assert in_label_order(AnswerForm("values", "regression"), file) is file


def test_the_command_line_names_the_option(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    X = np.linspace(-1, 1, 200)
    pd.DataFrame({"size": X, "kind": (X > 0).astype(int)}).to_csv("rows.csv", index=False)
    (tmp_path / "by_size.py").write_text("def ask(rows):\n    return (rows['size'] + 1) / 2\n")
    teacher = ["by_size:ask", "--kind", "probabilities", "--classes", '["0", "1"]', "--data", "rows.csv", "--truth", "kind"]
    assert main(["record", *teacher, "--into", "labels"]) == 0
    train = ["train", "tree", "--labels", "labels", "--data", "rows.csv", "--truth", "kind", "--set", "max_leaf_nodes=4"]
    assert main([*train, "--out", "run"]) == 0
    commands = (
        ["distill", *teacher, "--out", "out", "--dry-run"],
        [*train, "--soft-weight", "0.5", "--out", "other"],
        ["evaluate", "run", "--data", "rows.csv"],
        ["compare", "run", "run", "--data", "rows.csv"],
    )
    for command in commands:
        capsys.readouterr()
        assert main(command) == 2
        assert "column 'kind' of rows.csv holds numbers" in (printed := capsys.readouterr().err)
        assert "with --dtype 'kind=text'" in printed
    assert main([*commands[1], "--dtype", "kind=text"]) == 0


def test_true_values_in_another_order_than_the_outputs_are_refused_and_others_that_do_not_fit_are_said(tmp_path):
    draw = np.random.default_rng(0)
    truth = np.column_stack([draw.normal(size=60), 100 * draw.normal(size=60)])
    pd.DataFrame({"x": draw.normal(size=60), "height": truth[:, 0], "weight": truth[:, 1], "kind": "a"}).to_csv(tmp_path / "rows.csv")
    form, answers = AnswerForm("values", "regression"), truth * 0.99
    opened = {
        names: TableFile.open(tmp_path / "rows.csv", truth=names) for names in (("height", "weight"), ("weight", "height"), ("kind",))
    }
    assert check_values(form, answers, opened["height", "weight"]) == []
    expected = (
        r"are \['weight', 'height'\], and the teacher's outputs follow the order \['height', 'weight'\].* Name the columns in this order"
    )
    with pytest.raises(LabelMismatch, match=expected):
        check_values(form, answers, opened["weight", "height"])
    (said,) = check_values(form, answers * [1, 0.01], opened["height", "weight"])
    assert said.startswith("column 'weight' of the ground truth: the teacher's R2 is ")
    assert "in another scale than the true values" in said
    assert check_values(form, answers[:, :1], opened["height", "weight"]) == []  # fewer outputs than columns
    assert check_values(form, answers[:, :1], opened[("kind",)]) == []
    assert check_values(of_classes("probabilities", "ab"), answers, opened["height", "weight"]) == []
