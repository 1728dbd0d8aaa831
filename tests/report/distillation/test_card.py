import re
from dataclasses import replace

import pytest

from tutelage.report.distillation.card import model_card
from tutelage.report.distillation.records import OutputResult

hub = pytest.importorskip("huggingface_hub")


def read(text):
    return hub.ModelCard(text)


def test_the_metadata_are_those_of_the_record(binary, figures):
    card = read(model_card(binary, figures, license_name="mit"))
    assert card.data.library_name == "tutelage"
    assert card.data.license == "mit"
    assert card.data.tags == ["knowledge-distillation", "tabular-classification"]
    (result,) = card.data.eval_results
    assert (result.metric_type, result.dataset_name) == ("accuracy", "test rows of rows.csv")
    assert result.metric_value == binary.arm("answers").test["accuracy"][0]  # of the file, not the mean over seeds
    assert "The files hold the student of the first seed: accuracy 88.3 %." in card.text


def test_the_tag_says_what_the_rows_are(binary, figures):
    tags = {"table": "tabular-classification", "text": "text-classification", "picture": "image-classification", "inputs": "classification"}
    assert {rows: read(model_card(binary, replace(figures, rows=rows))).data.tags[-1] for rows in tags} == tags


def test_test_rows_of_their_own_are_not_named_by_the_file_of_the_others(binary, figures):
    card = read(model_card(replace(binary, provenance={**binary.provenance, "test data": "600 rows"}), figures))
    assert card.data.eval_results[0].dataset_name == "test rows of their own"


def test_the_license_is_left_out_unless_given(binary, figures):
    assert "license" not in read(model_card(binary, figures)).data.to_dict()


@pytest.mark.parametrize(
    "kind", ["binary", "values", "no truth", "twenty classes", "sixty classes", "labels", "limits not met", "nothing measured", "cascade"]
)
def test_every_kind_has_a_card_that_can_be_read(every_kind, kind):
    record, figures = every_kind[kind]
    card = read(model_card(record, figures))
    assert card.data.metrics == [{"mse": "mse", "agreement": "agreement"}.get(record.metric, "accuracy")]
    assert record.answer.split(":")[0] in card.text


def test_the_text_holds_answer_arms_limits_proofs_and_how_to_load(binary, figures):
    text = model_card(binary, figures)
    for part in (
        binary.answer,
        "| labels | tree, the meaning of labels | 87.1 % (85.1 to 89.1) | 95.2 % | 2.5 kB | 45 µs |",
        "| Does the teacher help? | +2.2 points (+1.1 to +3.3) | beats |",
        "Limit of the latency of one row: 55 µs; measured 48.4 µs, met.",
        'tl.open_teacher("student.onnx")',
        "worst difference 1e-09",
        "Intervals do not cover another teacher",
    ):
        assert part in text, part


def test_a_file_that_was_never_compared_is_not_proven(binary, figures):
    text = model_card(replace(binary, exports=(replace(binary.exports[0], proofs=()),)), figures)
    assert "Not proven: it was never compared with its student." in text


def test_hostile_texts_stay_texts(hostile):
    record, figures = hostile
    card = read(model_card(record, replace(figures, loading=())))
    assert not re.findall(r"<(?!/?br)", card.text)
    assert "&lt;/script&gt;" in card.text
    assert not set("\u202e\x1b\x00") & set(card.text)
    card.text.encode()
    rows = [line for line in card.text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows[-2 - len(record.provenance) :]}) == 1  # no name adds a cell


def test_a_student_of_the_ground_truth_is_not_called_distilled(binary, figures):
    assert "# tree distilled from churn & co.pkl" in model_card(binary, figures).replace("&amp;", "&")
    card = model_card(replace(binary, chosen="labels"), figures)
    assert "# tree trained on the ground truth" in card
    assert "distilled from" not in card
    assert "knowledge-distillation" not in card


def test_weights_of_classes_are_a_limitation_of_the_probabilities(binary, figures):
    weighted = replace(binary, rows={**binary.rows, "class_weights": {"no": 1.0, "yes": 12.5}})
    limitations = model_card(weighted, figures).split("## Limitations")[1].split("## ")[0]
    assert "multiplied by the weights of the classes (no 1, yes 12.5): they are not their frequencies." in limitations
    assert "multiplied by the weights" not in model_card(binary, figures)


def test_the_error_of_several_values_is_published_in_its_units(every_kind):
    record, figures = every_kind["values"]
    text = model_card(replace(record, outputs=(OutputResult("price", 0.95, 0.96), OutputResult("fee_2", None, None))), figures)
    card = read(text)
    (result,) = card.data.eval_results
    assert card.data.metrics == [result.metric_type] == ["standardised_mse"]
    assert result.metric_name == "standardised squared error, in units of each value's variance"
    assert "first seed: standardised squared error, in units of each value's variance 35.32." in text
    assert "| arm | what | standardised squared error, in units of each value's variance |" in text
    assert "R2 of each against the truth on the test rows, first seed: price 0.950 (teacher 0.960), fee\\_2 - (teacher -)." in text
    plain = model_card(record, figures)
    assert read(plain).data.metrics == ["mse"]
    assert "units of" not in plain
