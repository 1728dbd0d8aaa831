import pytest

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.evidence.looks import looks_before, share_of, with_this_look
from tutelage.workflow.distillation.folder import RunFolder


def test_all_looks_together_spend_no_more_than_everything():
    shares = [share_of(number) for number in range(1, 40)]
    assert shares[:3] == pytest.approx([0.8, 0.1, 0.05])
    assert sum(shares) <= 1


def test_more_seeds_are_another_look_and_the_same_seeds_are_not(tmp_path):
    folder = RunFolder(tmp_path)
    first = with_this_look(folder, looks_before(folder, seeds=5), seeds=5)
    assert with_this_look(folder, looks_before(folder, seeds=5), seeds=5) == first, "a run that was stopped repeats its look"
    second = with_this_look(folder, looks_before(folder, seeds=10), seeds=10)
    assert [(look.seeds, look.share) for look in second] == [(5, pytest.approx(0.8)), (10, pytest.approx(0.1))]
    assert second[0] == first[0]
    with pytest.raises(BadInput, match="were read with 10 seeds, and 5 would leave some out"):
        looks_before(folder, seeds=5)
