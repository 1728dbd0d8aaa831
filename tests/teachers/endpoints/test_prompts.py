"""Prompts, and what answers say of the classes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.teachers.endpoints.completions import Choice
from tutelage.teachers.endpoints.prompts import BY_LABEL, BY_LETTER, BY_NUMBER, ClassReader, Prompt, of_first_token

TOPICS = ("delivery", "money", "Product")


def test_the_default_prompt_lists_the_classes_with_their_numbers():
    content = Prompt(BY_LABEL, TOPICS).messages("late again {text}")[0]["content"]
    assert "1. delivery\n2. money\n3. Product" in content
    assert content.endswith("late again {text}")


def test_classes_that_look_like_numbers_are_not_numbered():
    assert "- 0\n- 1" in Prompt(BY_LABEL, ("0", "1")).messages("a")[0]["content"]
    assert ClassReader(("1", "0")).place("1") == 0
    assert ClassReader(("7", "9")).place("1") is None


@pytest.mark.parametrize(
    "template", ["no field", "{classes}", "{text} {other}", "{text!r}", "{text:>10}", "{text", "{}", "{text.__class__} {text}", 7, None]
)
def test_a_template_that_cannot_be_filled_is_refused(template):
    with pytest.raises(BadInput, match="prompt"):
        Prompt(template, TOPICS)


def test_doubled_braces_stand_for_themselves():
    assert Prompt('{{"text": "{text}"}}', TOPICS).messages("a")[0]["content"] == '{"text": "a"}'


def test_a_function_makes_a_prompt_or_messages():
    assert Prompt(lambda text: f"Sort: {text}", TOPICS).messages("a") == [{"role": "user", "content": "Sort: a"}]
    chat = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "a"}]
    assert Prompt(lambda text: chat, TOPICS).messages("a") == chat


@pytest.mark.parametrize("found", [None, 7, [], [{"role": "user"}], [{"role": "user", "content": 1}], ["a"]])
def test_a_function_that_returns_something_else_is_refused(found):
    with pytest.raises(BadInput, match="the function prompt= returns"):
        Prompt(lambda text: found, TOPICS).messages("a")


def test_a_function_that_fails_is_named():
    with pytest.raises(BadInput, match="the function prompt= fails \\(ZeroDivisionError"):
        Prompt(lambda text: 1 / 0, TOPICS).messages("a")


def test_prompts_differ_by_their_template_their_function_and_their_classes():
    def other(text):
        return text + "!"

    prompts = [Prompt(BY_LABEL, TOPICS), Prompt(BY_LABEL, TOPICS[:2]), Prompt("{text}", TOPICS), Prompt(lambda text: text, TOPICS)]
    assert len({one.identity() for one in [*prompts, Prompt(other, TOPICS)]}) == 5
    assert Prompt(BY_LABEL, TOPICS).identity() == prompts[0].identity()


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("delivery", 0),
        (" Money\n", 1),
        ("PRODUCT", 2),
        ('"product".', 2),
        ("**money**", 1),
        ("2", 1),
        ("2.", 1),
        ("3) product", 2),
        ("3. money", None),
        ("4", None),
        ("0", None),
        ("-1", None),
        ("delivery or money", None),
        ("The class is money", None),
        ("", None),
        ("deliver", None),
        ("²", None),
    ],
)
def test_an_answer_names_a_class_by_its_name_or_its_number(answer, place):
    assert ClassReader(TOPICS).place(answer) == place


def test_case_counts_where_two_names_differ_in_it_alone():
    reader = ClassReader(("us", "US"))
    assert [reader.place("us"), reader.place("US"), reader.place("Us")] == [0, 1, None]


@pytest.mark.parametrize("names", [("a", " a"), ("", "b"), ("a", "  ")])
def test_names_that_no_answer_could_tell_apart_are_refused(names):
    with pytest.raises(LabelMismatch):
        ClassReader(names)


@given(st.lists(st.text("abcAB 1.\"'*", min_size=1, max_size=4), min_size=2, max_size=5))
def test_every_name_is_read_as_its_own_class_or_refused(names):
    try:
        reader = ClassReader(tuple(names))
    except LabelMismatch:
        return
    assert [reader.place(name) for name in names] == list(range(len(names)))


def test_votes_are_counted_and_others_by_why_they_are_none():
    choices = [
        Choice("money"),
        Choice("2"),
        Choice("delivery"),
        Choice("I cannot", refused=True),
        Choice(None),
        Choice("the cla", finish="length"),
        Choice("weather"),
    ]
    votes, others = ClassReader(TOPICS).votes(choices)
    assert votes.tolist() == [1, 2, 0]
    assert others == {"refused": 1, "empty": 1, "cut off": 1, "no class": 1}


@pytest.mark.parametrize(
    ("names", "answer", "counts"),
    [
        (("New", "New York", "Rome"), "New", False),
        (("New", "New York", "Rome"), " **new", False),
        (("New", "New York", "Rome"), "New.", True),
        (("New", "New York", "Rome"), "New ", False),
        (("New", "New York", "Rome"), "New\n", True),
        (("New", "New York", "Rome"), '"New"', True),
        (("New", "New York", "Rome"), "New York", True),
        (("New", "New York", "Rome"), "1. New", True),
        (tuple("abcdefghijkl"), "1", False),
        (tuple("abcdefghijkl"), "1.", True),
        (tuple("abcdefghijkl"), "2", True),
        (tuple("abcdefghijkl"), "12", True),
        (("1", "10"), "1", False),
        (("us", "US"), "us", True),
        (("'a", "'ab"), "'a", False),
    ],
)
@pytest.mark.parametrize("finish", ["length", "max_tokens"])
def test_an_answer_that_was_cut_off_is_a_vote_unless_another_class_begins_with_it(names, answer, counts, finish):
    votes, others = ClassReader(names).votes([Choice(answer, finish=finish)])
    assert (votes.sum(), others) == ((1, {}) if counts else (0, {"cut off": 1}))
    assert ClassReader(names).votes([Choice(answer)])[0].sum() == 1


def test_a_refusal_that_names_a_class_is_no_vote():
    assert ClassReader(TOPICS).votes([Choice("money", refused=True)])[0].sum() == 0


def test_the_mass_of_a_class_is_that_of_the_tokens_that_begin_it_alone():
    top = [(" Del", math.log(0.5)), ("delivery", math.log(0.1)), ("2", math.log(0.2)), ("I", math.log(0.1)), ("", math.log(0.05))]
    mass, unclear = ClassReader(TOPICS).mass(top)
    assert mass == pytest.approx([0.6, 0.2, 0.0])
    assert unclear == 0


def test_a_token_that_begins_several_classes_is_the_mass_of_none():
    reader = ClassReader(("spam", "spam-promo", "ham"))
    assert reader.starting_with("spam") == {0, 1}
    assert reader.starting_with("spam-") == {1}
    assert [reader.starting_with(token) for token in ("\u2581ha", "\u0120ham", "\u2581")] == [{2}, {2}, set()]
    assert ClassReader(tuple("abcdefghijkl")).starting_with("1") == {0, 9, 10, 11}  # 1, 10, 11 and 12
    mass, unclear = reader.mass([("spam", math.log(0.5)), ("ham", math.log(0.4)), ("spam-", math.log(0.1))])
    assert (mass, unclear) == (pytest.approx([0.0, 0.1, 0.4]), pytest.approx(0.5))


def test_where_the_model_is_asked_for_letters_these_alone_are_read():
    reader = ClassReader(("1", "Alpha", "10"), letters=True)
    assert [reader.starting_with(token) for token in ("A", " b.", "C", "D", "1", "Alpha")] == [{0}, {1}, {2}, set(), set(), set()]


@pytest.mark.parametrize(
    ("names", "prompt", "first_line"),
    [
        (TOPICS, BY_NUMBER, "1. delivery"),
        (("no", "not sure"), BY_NUMBER, "1. no"),
        (tuple("12345"), BY_LABEL, "- 1"),
        (tuple(map(str, range(1, 11))), BY_LETTER, "A. 1"),
        (tuple(f"c{number}" for number in range(1, 21)), BY_LETTER, "A. c1"),
        (("0.5", "0.1"), BY_LETTER, "A. 0.5"),
    ],
)
def test_the_default_prompt_asks_for_what_the_first_token_tells_apart(names, prompt, first_line):
    assert of_first_token(names) == prompt
    assert f"\n{first_line}\n" in Prompt(prompt, names).messages("a")[0]["content"]
