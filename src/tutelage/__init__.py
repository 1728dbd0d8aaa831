"""tutelage: teach a small model what a big one knows, prove what was lost and gained, and ship it.

The public names, in the order of the flow. Each loads its module when first touched, so that `import tutelage`
needs neither torch nor anything else that is optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.core.errors import TutelageError as TutelageError
    from tutelage.data.datasets import load_fashion_mnist as load_fashion_mnist
    from tutelage.data.datasets import load_mnist as load_mnist
    from tutelage.data.transfer import Jitter as Jitter
    from tutelage.data.transfer import Mixup as Mixup
    from tutelage.data.transfer import Munge as Munge
    from tutelage.data.transfer import UniformNoise as UniformNoise
    from tutelage.data.transfer import UnlabelledPool as UnlabelledPool
    from tutelage.data.views import Affine as Affine
    from tutelage.data.views import Views as Views
    from tutelage.evaluation.displays.decisions import AgreementDisplay as AgreementDisplay
    from tutelage.evaluation.displays.fidelity import FidelityDisplay as FidelityDisplay
    from tutelage.evaluation.displays.reliability import ReliabilityDisplay as ReliabilityDisplay
    from tutelage.evaluation.evaluate import evaluate as evaluate
    from tutelage.evaluation.paired import compare as compare
    from tutelage.evaluation.significance import paired_difference as paired_difference
    from tutelage.export.parity import export_onnx as export_onnx
    from tutelage.objectives.hidden_terms import attention_transfer as attention_transfer
    from tutelage.objectives.hidden_terms import contrastive as contrastive
    from tutelage.objectives.hidden_terms import hint as hint
    from tutelage.objectives.hidden_terms import probabilistic_transfer as probabilistic_transfer
    from tutelage.objectives.hidden_terms import relational_angle as relational_angle
    from tutelage.objectives.hidden_terms import relational_distance as relational_distance
    from tutelage.objectives.hidden_terms import similarity_preserving as similarity_preserving
    from tutelage.objectives.objective import Objective as Objective
    from tutelage.objectives.objective import Term as Term
    from tutelage.objectives.signals import Signals as Signals
    from tutelage.objectives.targets import soften as soften
    from tutelage.objectives.targets import temper as temper
    from tutelage.objectives.targets import untemper as untemper
    from tutelage.objectives.terms import decoupled as decoupled
    from tutelage.objectives.terms import dist as dist
    from tutelage.objectives.terms import hard_cross_entropy as hard_cross_entropy
    from tutelage.objectives.terms import jensen_shannon as jensen_shannon
    from tutelage.objectives.terms import kl_divergence as kl_divergence
    from tutelage.objectives.terms import logit_matching as logit_matching
    from tutelage.objectives.terms import reverse_kl as reverse_kl
    from tutelage.objectives.terms import soft_cross_entropy as soft_cross_entropy
    from tutelage.objectives.terms import standardised_divergence as standardised_divergence
    from tutelage.objectives.terms import virtual_teacher as virtual_teacher
    from tutelage.objectives.terms import weighted_soft_labels as weighted_soft_labels
    from tutelage.objectives.value_terms import gaussian as gaussian
    from tutelage.objectives.value_terms import hard_bernoulli as hard_bernoulli
    from tutelage.objectives.value_terms import huber as huber
    from tutelage.objectives.value_terms import soft_bernoulli as soft_bernoulli
    from tutelage.objectives.value_terms import squared_error as squared_error
    from tutelage.objectives.value_terms import teacher_bounded as teacher_bounded
    from tutelage.search.sweep import sweep as sweep
    from tutelage.search.transfer_curve import transfer_curve as transfer_curve
    from tutelage.softlabels.folder import open_labels as open_labels
    from tutelage.softlabels.labels import SoftLabels as SoftLabels
    from tutelage.softlabels.logged import read_answers as read_answers
    from tutelage.softlabels.recording import record as record
    from tutelage.students.any_estimator import SoftTargets as SoftTargets
    from tutelage.students.boosting import SoftBoosting as SoftBoosting
    from tutelage.students.distilled import DistilledClassifier as DistilledClassifier
    from tutelage.students.distilled import DistilledRegressor as DistilledRegressor
    from tutelage.students.kept import load_student as load_student
    from tutelage.students.kept import save_student as save_student
    from tutelage.students.linear import SoftLogistic as SoftLogistic
    from tutelage.students.mlp import SoftMLP as SoftMLP
    from tutelage.students.multilabel import PerLabel as PerLabel
    from tutelage.students.several import Accelerated as Accelerated
    from tutelage.students.torch_student import TorchStudent as TorchStudent
    from tutelage.students.torch_training import one_cycle as one_cycle
    from tutelage.students.trees import SoftForest as SoftForest
    from tutelage.students.trees import SoftTree as SoftTree
    from tutelage.teachers.adapt import as_teacher as as_teacher
    from tutelage.teachers.checklist import check_teacher as check_teacher
    from tutelage.teachers.ensemble import ensemble as ensemble
    from tutelage.teachers.open import open_teacher as open_teacher
    from tutelage.teachers.preflight.flight import preflight as preflight
    from tutelage.teachers.relabel import relabelled as relabelled
    from tutelage.teachers.torch_module import load_weights as load_weights

__version__ = "0.1.0"

_HOMES = {
    "TutelageError": "core.errors",
    "load_mnist": "data.datasets",
    "load_fashion_mnist": "data.datasets",
    "UnlabelledPool": "data.transfer",
    "Jitter": "data.transfer",
    "Mixup": "data.transfer",
    "Munge": "data.transfer",
    "UniformNoise": "data.transfer",
    "Views": "data.views",
    "Affine": "data.views",
    "as_teacher": "teachers.adapt",
    "open_teacher": "teachers.open",
    "load_weights": "teachers.torch_module",
    "ensemble": "teachers.ensemble",
    "relabelled": "teachers.relabel",
    "check_teacher": "teachers.checklist",
    "record": "softlabels.recording",
    "open_labels": "softlabels.folder",
    "SoftLabels": "softlabels.labels",
    "read_answers": "softlabels.logged",
    "preflight": "teachers.preflight.flight",
    "soften": "objectives.targets",
    "temper": "objectives.targets",
    "untemper": "objectives.targets",
    "hard_cross_entropy": "objectives.terms",
    "soft_cross_entropy": "objectives.terms",
    "kl_divergence": "objectives.terms",
    "logit_matching": "objectives.terms",
    "reverse_kl": "objectives.terms",
    "jensen_shannon": "objectives.terms",
    "decoupled": "objectives.terms",
    "dist": "objectives.terms",
    "standardised_divergence": "objectives.terms",
    "weighted_soft_labels": "objectives.terms",
    "virtual_teacher": "objectives.terms",
    "hard_bernoulli": "objectives.value_terms",
    "soft_bernoulli": "objectives.value_terms",
    "squared_error": "objectives.value_terms",
    "huber": "objectives.value_terms",
    "gaussian": "objectives.value_terms",
    "teacher_bounded": "objectives.value_terms",
    "hint": "objectives.hidden_terms",
    "attention_transfer": "objectives.hidden_terms",
    "relational_distance": "objectives.hidden_terms",
    "relational_angle": "objectives.hidden_terms",
    "similarity_preserving": "objectives.hidden_terms",
    "probabilistic_transfer": "objectives.hidden_terms",
    "contrastive": "objectives.hidden_terms",
    "Objective": "objectives.objective",
    "Term": "objectives.objective",
    "Signals": "objectives.signals",
    "SoftTree": "students.trees",
    "DistilledClassifier": "students.distilled",
    "DistilledRegressor": "students.distilled",
    "SoftForest": "students.trees",
    "SoftLogistic": "students.linear",
    "SoftBoosting": "students.boosting",
    "SoftMLP": "students.mlp",
    "SoftTargets": "students.any_estimator",
    "PerLabel": "students.multilabel",
    "TorchStudent": "students.torch_student",
    "one_cycle": "students.torch_training",
    "Accelerated": "students.several",
    "save_student": "students.kept",
    "load_student": "students.kept",
    "evaluate": "evaluation.evaluate",
    "compare": "evaluation.paired",
    "ReliabilityDisplay": "evaluation.displays.reliability",
    "AgreementDisplay": "evaluation.displays.decisions",
    "FidelityDisplay": "evaluation.displays.fidelity",
    "paired_difference": "evaluation.significance",
    "export_onnx": "export.parity",
    "transfer_curve": "search.transfer_curve",
    "sweep": "search.sweep",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are those above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tutelage' has no attribute {name!r}")
    from tutelage.core.errors import require

    return getattr(require(f"tutelage.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
