import random
from socket import socket

import numpy as np
import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput
from tutelage.core.identity.fingerprints import fingerprint_of, identified, joint_fingerprint


class Named:
    form = AnswerForm("values", "regression")

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint

    def answer(self, inputs):
        return inputs


def test_a_fingerprint_is_the_content_or_the_version():
    assert fingerprint_of([1], name="list") == fingerprint_of([1], name="list") != fingerprint_of([2], name="list")
    assert fingerprint_of([1], "further", name="list") != fingerprint_of([1], name="list")
    assert fingerprint_of(object, name="model", version="May") == "model:version May"


def test_what_cannot_be_identified_has_a_fingerprint_of_this_process_only():
    with socket() as one, socket() as other:
        held = [{"client": line} for line in (one, other)]
        names = [fingerprint_of(each, name="served") for each in held]
        assert names[0] != names[1]
        for name in (names[0], joint_fingerprint("ensemble", "mean", ["known", names[0]])):
            with pytest.raises(BadInput, match=r"a socket has no content .* Pass as_teacher\(..., version=\)"):
                identified(Named(name))
    assert identified(Named("known")) == "known"


def test_a_joint_fingerprint_follows_members_and_their_combination():
    names = {joint_fingerprint(*parts) for parts in (("a", 1, "xy"), ("a", 2, "xy"), ("a", 1, "yx"), ("b", 1, "xy"))}
    assert len(names) == 4


DRAWS = {"random": random.random, "gauss": random.gauss, "rand": np.random.rand, "normal": np.random.normal}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_code_that_draws_from_a_global_generator_is_the_same_code_after_a_draw(draw):
    def drawing(rows):
        return rows + draw(0, 1)

    before = fingerprint_of(drawing, name="function")
    DRAWS["random"](), DRAWS["rand"]()
    assert fingerprint_of(drawing, name="function") == before
    own = np.random.RandomState(0)
    assert fingerprint_of(own.rand, name="function") != fingerprint_of(np.random.rand, name="function")
    at_first = fingerprint_of(own.rand, name="function")
    own.rand()
    assert fingerprint_of(own.rand, name="function") != at_first
