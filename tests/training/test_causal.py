import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.training.causal import next_tokens


def test_the_truth_of_a_position_is_the_token_after_it_and_the_last_has_none():
    assert [row.tolist() for row in next_tokens({"input_ids": [[5, 7, 9], [4]]})] == [[7, 9, -100], [-100]]


def test_padding_changes_nothing_and_what_the_mask_leaves_out_is_no_truth():
    bare = {"input_ids": [[5, 7, 9], [4, 2]], "attention_mask": [[1, 1, 1], [1, 1]]}
    padded = {"input_ids": [[5, 7, 9, 0], [4, 2, 0, 0]], "attention_mask": [[1, 1, 1, 0], [1, 1, 0, 0]]}
    assert [row.tolist() for row in next_tokens(padded)] == [row.tolist() for row in next_tokens(bare)] == [[7, 9, -100], [2, -100]]
    hole = {"input_ids": [[5, 7, 9]], "attention_mask": [[1, 0, 1]]}
    assert next_tokens(hole)[0].tolist() == [-100, 9, -100]


def test_tokens_are_named_where_classes_are():
    found = next_tokens({"tokens": np.array([[0, 1]])}, ids="tokens", classes=["<s>", "the"])
    assert found[0].tolist() == ["the", -100]
    with pytest.raises(BadInput, match="the rows have no input 'input_ids'; they have tokens"):
        next_tokens({"tokens": [[0, 1]]})


def test_of_an_encoder_and_a_decoder_the_tokens_of_the_decoder_are_followed():
    rows = {"input_ids": [[5, 7, 9], [4, 2, 1]], "decoder_input_ids": [[0, 3], [0, 6]]}
    masked = {**rows, "decoder_attention_mask": [[1, 1], [0, 1]]}
    for X in (rows, masked, {**masked, "attention_mask": [[1, 1, 1], [1, 1, 1]]}):
        with pytest.raises(BadInput, match="inputs of a decoder, which answers its own tokens, and ids is 'input_ids'; name the decoder's"):
            next_tokens(X)
        assert [row.tolist() for row in next_tokens(X, ids="decoder_input_ids")] == [[3, -100], [6, -100]]
    left = {"features": [[1.0], [2.0]], "decoder_input_ids": [[0, 3, 5], [0, 6, 7]], "decoder_attention_mask": [[1, 1, 1], [1, 0, 1]]}
    assert [row.tolist() for row in next_tokens(left, ids="decoder_input_ids")] == [[3, 5, -100], [-100, 7, -100]]
