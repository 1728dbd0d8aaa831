"""The search of all arms: which begins first, and that its order is not seen in the results."""

from types import SimpleNamespace

from tutelage.search.families import families_of
from tutelage.workflow.distillation.searching import search_arms
from tutelage.workflow.distillation.searching.arms import Arm
from tutelage.workflow.distillation.searching.search_arms import ArmSearch

FEW, MANY = Arm("few", "", "answers"), Arm("many", "", "answers", more_rows=True)
ONE_AT_A_TIME = SimpleNamespace(limits=SimpleNamespace(latency=1))


def test_networks_are_searched_first_and_more_rows_before_fewer(monkeypatch):
    begun = []

    def searched(arm, family, *given, **options):
        begun.append((arm.name, family.name))
        return ((arm.name, family.name),)

    monkeypatch.setattr(search_arms, "search_family", searched)
    families = families_of(["mlp", "tree"], "binary")
    search = ArmSearch(None, ONE_AT_A_TIME, SimpleNamespace(has=lambda name: False), trials=2, seed=0, advance=lambda: None)
    found = search.search({FEW: families, MANY: families})
    assert begun == [("many", "mlp"), ("few", "mlp"), ("many", "tree"), ("few", "tree")]
    assert found == {name: ((name, "mlp"), (name, "tree")) for name in ("few", "many")}
