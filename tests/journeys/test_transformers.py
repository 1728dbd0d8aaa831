"""Networks of Hugging Face as they come, with their outputs and inputs: no wrapper, no download."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import tutelage as tl

transformers = pytest.importorskip("transformers")

CLASSES = ("red", "green", "blue")
ROWS, WIDTH, WORDS = 60, 12, 40
TOLERANCE = 1e-5


def bert(kind: str, hidden: int, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=WORDS,
        hidden_size=hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=hidden,
        num_labels=len(CLASSES),
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return getattr(transformers, f"BertFor{kind}")(config)


def gpt(hidden: int, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=WORDS,
        n_embd=hidden,
        n_layer=1,
        n_head=2,
        n_positions=32,
        bos_token_id=0,
        eos_token_id=0,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
    )
    return transformers.GPT2LMHeadModel(config)


def louder(network: torch.nn.Module) -> torch.nn.Module:
    """A teacher with something to say: fresh transformers answer everything alike."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    return network


LENGTHS = np.random.default_rng(0).integers(1, WIDTH, ROWS)
IDS = [np.random.default_rng(row).integers(1, WORDS, length).tolist() for row, length in enumerate(LENGTHS)]
RAGGED = {"input_ids": IDS, "attention_mask": [[1] * len(row) for row in IDS]}
PADDED = transformers.BatchEncoding(
    {
        "input_ids": torch.tensor([[*row, *[0] * (WIDTH - len(row))] for row in IDS]),
        "attention_mask": torch.tensor([[*[1] * len(row), *[0] * (WIDTH - len(row))] for row in IDS]),
    }
)

KINDS = {
    "SequenceClassification": (CLASSES, None),
    "TokenClassification": (CLASSES, "tokens"),
    "causal": (tuple(range(WORDS)), "tokens"),
}


def network(kind: str, hidden: int, seed: int) -> torch.nn.Module:
    return gpt(hidden, seed) if kind == "causal" else bert(kind, hidden, seed)


def matrix(answers) -> np.ndarray:
    return answers.dense() if isinstance(answers, tl.PositionAnswers) else np.asarray(answers)


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize("kind", KINDS)
def test_a_transformer_is_recorded_learnt_saved_and_exported_without_a_wrapper(kind, tmp_path):
    classes, positions = KINDS[kind]
    teacher = tl.as_teacher(louder(network(kind, 16, 0)), classes=classes, positions=positions)
    labels = tl.record(teacher, PADDED)
    live = matrix(teacher.answer(RAGGED))
    assert np.abs(matrix(labels.answer(RAGGED)) - live).max() < TOLERANCE

    student = tl.TorchStudent(network(kind, 8, 1)).fit(RAGGED, labels, epochs=4, batch_size=16)
    assert student.fit_.losses[-1] < student.fit_.losses[0]
    from_live = tl.TorchStudent(network(kind, 8, 1)).fit(PADDED, teacher, epochs=4, batch_size=16)
    probabilities = matrix(student.predict_proba(RAGGED))
    assert np.abs(probabilities - matrix(from_live.predict_proba(PADDED))).max() < TOLERANCE

    if positions == "tokens":
        assert [len(row) for row in student.predict(PADDED)] == LENGTHS.tolist()
        assert len(labels.answer({name: value[3:4] for name, value in RAGGED.items()})[0]) == LENGTHS[3]

    again = tl.load_student(tl.save_student(student, tmp_path / "student"), network=lambda: network(kind, 8, 2))
    assert np.array_equal(matrix(again.predict_proba(RAGGED)), probabilities)

    record = tl.export(student, tmp_path / "student.onnx", check_on=RAGGED)
    assert record.columns == ("input_ids", "attention_mask")
    assert record.proven
    file = tl.as_teacher(tmp_path / "student.onnx")
    assert file.form.positions == positions
    assert np.abs(matrix(file.answer(PADDED)) - probabilities).max() < TOLERANCE


@pytest.mark.parametrize("kind", ["SequenceClassification", "TokenClassification"])
def test_items_and_batches_of_mappings_train_as_the_rows_in_memory(kind):
    classes, positions = KINDS[kind]
    teacher = tl.as_teacher(louder(network(kind, 16, 0)), classes=classes, positions=positions)
    labels = tl.record(teacher, RAGGED)

    class Items(Dataset):
        def __len__(self) -> int:
            return ROWS

        def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
            return {name: torch.tensor(rows[place]) for name, rows in RAGGED.items()}

    def collate(items):
        longest = max(len(item["input_ids"]) for item in items)
        return {
            name: torch.stack([torch.nn.functional.pad(item[name], (0, longest - len(item[name]))) for item in items]) for name in RAGGED
        }

    fits = [
        tl.TorchStudent(network(kind, 8, 1)).fit(rows, answers, epochs=2, **settings).predict_proba(RAGGED)
        for rows, answers, settings in (
            (Items(), labels, {"batch_size": 16}),
            (Items(), teacher, {"batch_size": 16}),
            (DataLoader(Items(), batch_size=16, shuffle=True, collate_fn=collate), labels, {}),
            (DataLoader(Items(), batch_size=16, shuffle=True, collate_fn=collate), teacher, {}),
        )
    ]
    assert all(np.abs(matrix(fit) - matrix(fits[0])).max() < TOLERANCE for fit in fits)


@pytest.mark.exhaustive
def test_a_token_classifier_learns_from_the_truth_of_its_positions_alone():
    truth = [np.array(CLASSES)[np.array(row) % 3] for row in IDS]
    fits = []
    for labels in (truth, [[*row, *["red"] * (WIDTH - len(row))] for row in truth]):  # beyond the mask nothing is read
        student = tl.TorchStudent(bert("TokenClassification", 16, 1), classes=CLASSES, positions="tokens")
        fits.append(student.fit(PADDED, y=labels, epochs=60, batch_size=16, optimizer=lambda weights: torch.optim.Adam(weights, lr=0.01)))
    right = np.mean([np.mean(found == row) for found, row in zip(fits[0].predict(RAGGED), truth, strict=True)])
    assert right > 0.9
    assert np.array_equal(fits[0].fit_.losses, fits[1].fit_.losses)


def test_positions_that_are_ignored_count_for_nothing():
    truth = [np.array(CLASSES, dtype=object)[np.array(row) % 3] for row in IDS]
    first = [np.where(np.arange(len(row)) == 0, -100, row) for row in truth]
    wrong = [np.where(np.arange(len(row)) == 0, "blue", row) for row in truth]

    def fitted(labels):
        student = tl.TorchStudent(bert("TokenClassification", 8, 1), classes=CLASSES, positions="tokens")
        return student.fit(RAGGED, y=labels, epochs=2, batch_size=16).fit_.losses

    assert not np.array_equal(fitted(first), fitted(wrong))
    everything = [np.full(len(row), -100) for row in IDS]
    with pytest.raises(tl.TutelageError, match="no position of the training rows counts"):
        fitted(everything)


@pytest.mark.exhaustive
def test_padded_logits_and_teachers_of_ones_own_lose_their_padding():
    network = louder(bert("TokenClassification", 16, 0))
    teacher = tl.as_teacher(network, classes=CLASSES, positions="tokens")
    with torch.no_grad():
        logits = network(**{name: torch.as_tensor(np.asarray(rows)) for name, rows in PADDED.items()}).logits

    class Own:
        form, fingerprint = teacher.form, "own"

        def answer(self, rows):
            with torch.no_grad():
                return network(**{name: torch.from_numpy(array) for name, array in rows.padded().items()}).logits.numpy()

    def fitted(labels, **options):
        student = tl.TorchStudent(bert("TokenClassification", 8, 1), classes=CLASSES, positions="tokens")
        return student.fit(PADDED, labels, epochs=2, batch_size=16, **options).fit_.losses

    expected = fitted(teacher)
    for losses in (fitted(logits, kind="logits"), fitted(Own()), fitted(tl.record(Own(), RAGGED))):
        np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_a_causal_model_is_shifted_by_its_truth():
    labels = tl.training.next_tokens(RAGGED)
    objective = 0.5 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.5 * tl.losses.hard_cross_entropy()
    teacher = tl.as_teacher(louder(gpt(16, 0)), classes=range(WORDS), positions="tokens")
    student = tl.TorchStudent(gpt(8, 1), objective).fit(RAGGED, teacher, labels, epochs=3, batch_size=16, validation=0.25)
    assert student.fit_.scores.shape == (3, 1)
    assert 0 < student.fit_.scores.min() <= sum(LENGTHS)
    with pytest.raises(tl.TutelageError, match="labels, and the row has"):
        tl.TorchStudent(gpt(8, 1), objective).fit(RAGGED, teacher, [row[:-1] for row in labels], epochs=1)


def test_a_network_that_answers_tokens_is_refused_without_saying_so():
    tokens = bert("TokenClassification", 8, 0)
    with pytest.raises(tl.TutelageError, match="pass positions='tokens' or 'pixels'"):
        tl.record(tl.as_teacher(tokens, classes=CLASSES), RAGGED)
    with pytest.raises(tl.TutelageError, match="pass positions='tokens' or 'pixels'"):
        tl.TorchStudent(tokens, classes=CLASSES).fit(RAGGED, y=["red"] * ROWS, epochs=1)
    teacher = tl.as_teacher(bert("SequenceClassification", 8, 0), classes=CLASSES, positions="tokens")
    with pytest.raises(tl.TutelageError, match=r"expected \(batch, tokens, classes\)"):
        tl.record(teacher, RAGGED)


def test_checkpoints_tell_rows_of_several_inputs_apart_and_resume(tmp_path):
    teacher = tl.record(tl.as_teacher(louder(bert("TokenClassification", 16, 0)), classes=CLASSES, positions="tokens"), RAGGED)

    def fitted(rows, epochs, folder):
        return tl.TorchStudent(bert("TokenClassification", 8, 1)).fit(rows, teacher, epochs=epochs, batch_size=16, checkpoints=folder)

    whole = fitted(RAGGED, 4, None)
    fitted(RAGGED, 2, tmp_path)
    resumed = fitted(PADDED, 4, tmp_path)
    assert np.array_equal(whole.predict_proba(RAGGED).values, resumed.predict_proba(RAGGED).values)
    fewer = {name: rows[:50] for name, rows in RAGGED.items()}
    with pytest.raises(tl.TutelageError, match="rows"):
        fitted(fewer, 4, tmp_path)


PAD = WORDS
"""A pad token that no row holds, as the tokenizers of decoders have it: their classifiers read the last token that is another."""


def decoder_classifier(kind: str, hidden: int, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    common = {"vocab_size": WORDS + 1, "num_labels": len(CLASSES), "pad_token_id": PAD}
    if kind == "gpt2":
        sizes = {"n_embd": hidden, "n_layer": 1, "n_head": 2, "n_positions": 32, "bos_token_id": PAD, "eos_token_id": PAD}
        config = transformers.GPT2Config(**common, **sizes, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
        return transformers.GPT2ForSequenceClassification(config)
    sizes = {"hidden_size": hidden, "intermediate_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 2}
    return transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**common, **sizes, max_position_embeddings=32))


def remembering(network: torch.nn.Module) -> tuple[torch.nn.Module, set[int]]:
    """The network, and the ids that it was ever given."""
    seen: set[int] = set()
    network.register_forward_pre_hook(lambda module, args, given: seen.update(given["input_ids"].unique().tolist()), with_kwargs=True)
    return network, seen


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_ids_are_padded_with_the_token_that_the_network_takes_for_padding(kind):
    teacher = louder(decoder_classifier(kind, 16, 0)).eval()
    with torch.no_grad():
        alone = np.concatenate([teacher(input_ids=torch.tensor([row])).logits.numpy() for row in IDS])
    for rows in (RAGGED, PADDED):  # padded with another token
        assert np.abs(tl.as_teacher(teacher, classes=CLASSES).answer(rows) - alone).max() < TOLERANCE

    class Items(Dataset):
        def __len__(self) -> int:
            return ROWS

        def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
            return {name: torch.tensor(rows[place]) for name, rows in RAGGED.items()}

    labels = tl.record(tl.as_teacher(teacher, classes=CLASSES), RAGGED)
    for rows, answers in ((RAGGED, labels), (PADDED, labels), (Items(), labels), (tl.parts(RAGGED, labels), None)):
        student, seen = remembering(decoder_classifier(kind, 8, 1))
        tl.TorchStudent(student).fit(rows, answers, epochs=1, batch_size=16, validation=None if answers is None else (RAGGED, None, labels))
        assert PAD in seen
        assert 0 not in seen


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_file_of_a_decoder_classifier_says_which_token_pads(kind, tmp_path):
    student = tl.TorchStudent(louder(decoder_classifier(kind, 8, 1)), classes=CLASSES)
    expected = np.concatenate(
        [student.predict_proba({name: rows[place : place + 1] for name, rows in RAGGED.items()}) for place in range(ROWS)]
    )
    assert tl.export(student, tmp_path / "student.onnx", check_on=RAGGED).proven
    for rows in (RAGGED, PADDED):
        assert np.abs(tl.as_teacher(tmp_path / "student.onnx").answer(rows) - expected).max() < TOLERANCE
