import copy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tutelage.core.errors import BadInput, ParityError
from tutelage.exporters.arrays.graph import model_of
from tutelage.exporters.export import export
from tutelage.teachers.adapt import as_teacher
from tutelage.training.student import TorchStudent

LENGTHS = np.random.default_rng(0).integers(1, 9, 40)
IDS = [np.random.default_rng(row).integers(1, 20, length).tolist() for row, length in enumerate(LENGTHS)]
ROWS = {"ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}
PICTURES = np.random.default_rng(1).normal(size=(20, 1, 6, 5)).astype(np.float32)


class Mean(nn.Module):
    """The mean of the tokens that count; one that does not look at the mask takes padding for tokens."""

    def __init__(self, *, looks: bool = True, tokens: bool = False) -> None:
        super().__init__()
        self.words, self.out, self.looks, self.tokens = nn.Embedding(20, 4), nn.Linear(4, 3), looks, tokens

    def forward(self, ids, attention_mask):
        counts = attention_mask[..., None].to(torch.float32) if self.looks else torch.ones_like(attention_mask)[..., None].float()
        embedded = self.words(ids)
        mean = (embedded * counts).sum(1) / counts.sum(1).clamp(min=1)
        return self.out(embedded + mean[:, None] if self.tokens else mean)


def student(network: nn.Module, positions=None) -> TorchStudent:
    torch.manual_seed(0)
    return TorchStudent(network, classes=["a", "b", "c"], positions=positions)


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("positions", ["tokens", None])
def test_the_file_names_its_inputs_and_answers_as_the_student_whatever_the_length(positions, tmp_path):
    fitted = student(Mean(tokens=positions is not None), positions)
    record = export(fitted, tmp_path / "s.onnx", check_on=ROWS)
    assert (record.columns, record.target, record.proven) == (("ids", "attention_mask"), "ONNX", True)
    assert record.proofs[0].rows == 40
    assert record.proofs[0].edge_rows > 20
    assert record.size_bytes == (tmp_path / "s.onnx").stat().st_size
    file = as_teacher(tmp_path / "s.onnx")
    few = {name: rows[5:6] for name, rows in ROWS.items()}
    answers, expected = file.answer(few), fitted.predict_proba(few)
    assert np.abs(answers[0] - expected[0]).max() < 1e-6
    content = (tmp_path / "s.onnx").read_text(errors="ignore")
    assert "/work" not in content
    assert ".py" not in content


class Prices(Mean):
    """Beside the texts a mean of prices, of which there are as many as there are, and no mask of theirs."""

    def forward(self, ids, attention_mask, prices):
        return super().forward(ids, attention_mask) * prices.mean(1, keepdim=True)


@pytest.mark.exhaustive
def test_inputs_without_a_mask_of_theirs_are_not_padded_where_the_file_is_compared(tmp_path):
    rows = {**ROWS, "prices": [np.arange(1.0, 2 + row % 3) for row in range(40)]}
    assert export(student(Prices()), tmp_path / "s.onnx", check_on=rows).proven


@pytest.mark.exhaustive
def test_a_network_that_takes_padding_for_tokens_is_not_exported(tmp_path):
    with pytest.raises(ParityError, match="change with the padding of a row"):
        export(student(Mean(looks=False)), tmp_path / "s.onnx", check_on=ROWS)
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive
def test_pixels_are_exported_with_their_probabilities(tmp_path):
    torch.manual_seed(0)
    fitted = TorchStudent(nn.Conv2d(1, 2, 3, padding=1), classes=["back", "front"], positions="pixels")
    record = export(fitted, tmp_path / "s.onnx", check_on=PICTURES)
    assert record.columns == ("inputs",)
    answers = as_teacher(tmp_path / "s.onnx").answer(PICTURES[:2])
    assert np.allclose(answers[0].sum(axis=0), 1, atol=1e-6)
    assert np.abs(answers.values - fitted.predict_proba(PICTURES[:2]).values).max() < 1e-6


def sure(gain=1000.0):
    """A network of pixels whose logits are so large that single precision rounds its probabilities visibly."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())
    network.append(nn.Conv2d(64, 3, 1))
    with torch.no_grad():
        network[-1].weight *= gain
    return student(network, "pixels")


def test_a_network_whose_own_answers_are_rounded_may_be_rounded_as_much_by_its_file(tmp_path):
    many = np.random.default_rng(2).normal(size=(100, 1, 16, 16)).astype(np.float32)
    proof = export(sure(), tmp_path / "s.onnx", check_on=many).proofs[0]
    assert proof.worst_difference <= proof.tolerance <= 1e-3
    plain = export(sure(gain=1.0), tmp_path / "t.onnx", check_on=many).proofs[0]
    assert plain.tolerance == 1e-5


@pytest.mark.exhaustive
def test_the_probabilities_of_thousands_of_classes_may_lose_what_their_sum_does(tmp_path):
    torch.manual_seed(0)
    network = nn.Conv2d(1, 6000, 1)
    with torch.no_grad():
        network.weight *= 4
        network.bias[0] = 14
    fitted = TorchStudent(network, classes=range(6000), positions="pixels")
    proof = export(fitted, tmp_path / "s.onnx", check_on=PICTURES).proofs[0]
    assert proof.worst_difference <= proof.tolerance <= 1e-3


def test_a_file_of_another_network_is_refused_however_much_its_student_is_rounded(tmp_path, monkeypatch):
    def other(network, *given):
        changed = copy.deepcopy(network)
        with torch.no_grad():
            changed[-1].bias[0] += 50
        return model_of(changed, *given)

    monkeypatch.setattr("tutelage.exporters.arrays.export.model_of", other)
    with pytest.raises(ParityError, match=r"differ by .* \(allowed"):
        export(sure(), tmp_path / "s.onnx", check_on=PICTURES)
    assert not list(tmp_path.iterdir())


class Translator(Mean):
    """An encoder whose mean every token of the decoder is given."""

    def forward(self, ids, attention_mask, decoder_input_ids, decoder_attention_mask=None):
        counts = attention_mask[..., None].to(torch.float32)
        mean = (self.words(ids) * counts).sum(1) / counts.sum(1)
        return self.out(self.words(decoder_input_ids) + mean[:, None])


@pytest.mark.exhaustive
@pytest.mark.parametrize("masked", [True, False])
def test_a_decoder_has_lengths_of_its_own_whether_its_rows_are_of_one_and_whether_it_has_a_mask(masked, tmp_path):
    said = [ids[:4] if not masked else [5, 7, 9, 11] for ids in IDS]
    of_decoder = {"decoder_input_ids": said, **({"decoder_attention_mask": [[1] * len(row) for row in said]} if masked else {})}
    fitted = student(Translator(), "tokens")
    assert export(fitted, tmp_path / "s.onnx", check_on={**ROWS, **of_decoder}).proven
    others = {**{name: rows[:2] for name, rows in ROWS.items()}, "decoder_input_ids": [[1, 2], [3, 4, 5, 6, 7]]}
    if masked:
        others["decoder_attention_mask"] = [[1] * 2, [1] * 5]
    found, expected = as_teacher(tmp_path / "s.onnx").answer(others), fitted.predict_proba(others)
    assert found.counts.tolist() == [2, 5]
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("s.c", {}, "exported as .onnx only; s.c is not"),
        ("s.onnx", {"precision": "half"}, "precision= and target_opset= are for networks of one input"),
        ("s.onnx", {"target_opset": 15}, "precision= and target_opset= are for networks of one input"),
    ],
)
def test_what_such_a_file_cannot_be_is_one_sentence(path, options, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        export(student(Mean()), tmp_path / path, check_on=ROWS, **options)
    assert not list(tmp_path.iterdir())


def test_a_network_of_half_precision_is_not_exported(tmp_path):
    with pytest.raises(BadInput, match=r"the network has weights of float16; expected single or double precision, as network\.float\(\)"):
        export(student(Mean().half()), tmp_path / "s.onnx", check_on=ROWS)


def test_a_network_without_classes_is_not_exported(tmp_path):
    with pytest.raises(BadInput, match="what its answers mean is unknown"):
        export(TorchStudent(Mean()), tmp_path / "s.onnx", check_on=ROWS)


@pytest.mark.exhaustive
def test_a_flipped_byte_is_seen_when_the_file_is_read(tmp_path):
    export(student(Mean(tokens=True), "tokens"), tmp_path / "s.onnx", check_on=ROWS)
    model = onnx.load(tmp_path / "s.onnx")
    model.doc_string += " "
    onnx.save(model, tmp_path / "s.onnx")
    with pytest.raises(Exception, match="was changed after tutelage exported it"):
        as_teacher(tmp_path / "s.onnx")
