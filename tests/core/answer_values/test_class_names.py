import pickle

import pytest

from tutelage.core.answer_values.class_names import MANY, ClassNames, key_of
from tutelage.core.answers import AnswerForm
from tutelage.core.errors import LabelMismatch
from tutelage.core.identity.hashing import content_hash

VOCABULARY = [f"token {place}" for place in range(MANY + 1)]


class Counted(str):
    """A text that counts how often it is compared."""

    compared = 0

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_they_are_a_tuple():
    names = ClassNames(["no", 1, True])
    assert names == ("no", 1, True)
    assert names != ("no", 1)
    assert (hash(names), repr(names)) == (hash(("no", 1, True)), repr(("no", 1, True)))
    assert ClassNames(names) is names
    assert pickle.loads(pickle.dumps(names)) == names  # noqa: S301
    assert ClassNames(["1"]).places[key_of("1")] == 0
    assert key_of(1) not in ClassNames(["1"]).places
    with pytest.raises(LabelMismatch, match="expected a text, a number or a truth value"):
        ClassNames([None])


def test_a_vocabulary_is_compared_by_its_hash():
    one, same = ClassNames(map(Counted, VOCABULARY)), ClassNames(map(Counted, VOCABULARY))
    Counted.compared = 0
    assert one == same
    assert not one != same  # noqa: SIM202 - the operator itself
    assert Counted.compared == 0
    assert one != ClassNames([*VOCABULARY[:-1], "another"])
    assert one == tuple(VOCABULARY)


def test_what_was_computed_of_names_is_no_content():
    fresh, used = ClassNames(VOCABULARY), ClassNames(VOCABULARY)
    assert used.places
    assert used.sha256
    assert content_hash(fresh) == content_hash(used)


def test_a_form_of_the_same_classes_does_not_read_them_again():
    form = AnswerForm("logits", "multiclass", VOCABULARY)
    assert form.as_kind("probabilities").classes is form.classes
    assert form.codes([VOCABULARY[7]]).tolist() == [7]
