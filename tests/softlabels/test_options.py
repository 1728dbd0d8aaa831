from tutelage.core.answer_kinds import KINDS, TASKS
from tutelage.softlabels.options import DTYPES, LOGGED_KINDS, REPEATED, RESTS


def test_the_tuples_list_what_the_types_allow():
    assert KINDS == ("logits", "probabilities", "values")
    assert TASKS == ("binary", "multiclass", "multilabel", "regression")
    assert set(KINDS) < set(LOGGED_KINDS)
    assert DTYPES == ("float16", "float32", "float64")
    assert (RESTS, REPEATED) == (("spread", "drop"), ("error", "mean"))
