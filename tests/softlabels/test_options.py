import inspect

from tutelage.core.answer_kinds import KINDS, TASKS
from tutelage.softlabels.logs import read_answers
from tutelage.softlabels.options import DTYPES, LOGGED_KINDS, REPEATED, RESTS


def test_the_tuples_list_what_the_types_allow():
    assert KINDS == ("logits", "probabilities", "values")
    assert TASKS == ("binary", "multiclass", "multilabel", "regression")
    assert set(KINDS) < set(LOGGED_KINDS)
    assert DTYPES == ("float16", "float32", "float64")


def test_the_defaults_of_the_functions_are_among_the_options():
    defaults = {name: parameter.default for name, parameter in inspect.signature(read_answers).parameters.items()}
    assert defaults["rest"] in RESTS
    assert defaults["repeated"] in REPEATED
