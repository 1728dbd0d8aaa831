"""tutelage: teach a small model what a big one knows, prove what was lost and gained, and ship it.

The public names, in the order of the flow. Each loads its module when first touched, so that `import tutelage`
needs neither torch nor anything else that is optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.checks.checklist import check_teacher as check_teacher
    from tutelage.checks.preflight import preflight as preflight
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
    from tutelage.exporters.parity import export_onnx as export_onnx
    from tutelage.losses.class_terms import decoupled as decoupled
    from tutelage.losses.class_terms import dist as dist
    from tutelage.losses.class_terms import hard_cross_entropy as hard_cross_entropy
    from tutelage.losses.class_terms import jensen_shannon as jensen_shannon
    from tutelage.losses.class_terms import kl_divergence as kl_divergence
    from tutelage.losses.class_terms import logit_matching as logit_matching
    from tutelage.losses.class_terms import reverse_kl as reverse_kl
    from tutelage.losses.class_terms import soft_cross_entropy as soft_cross_entropy
    from tutelage.losses.class_terms import standardised_divergence as standardised_divergence
    from tutelage.losses.class_terms import virtual_teacher as virtual_teacher
    from tutelage.losses.class_terms import weighted_soft_labels as weighted_soft_labels
    from tutelage.losses.hidden_terms import attention_transfer as attention_transfer
    from tutelage.losses.hidden_terms import contrastive as contrastive
    from tutelage.losses.hidden_terms import hint as hint
    from tutelage.losses.hidden_terms import probabilistic_transfer as probabilistic_transfer
    from tutelage.losses.hidden_terms import relational_angle as relational_angle
    from tutelage.losses.hidden_terms import relational_distance as relational_distance
    from tutelage.losses.hidden_terms import similarity_preserving as similarity_preserving
    from tutelage.losses.objective import Objective as Objective
    from tutelage.losses.objective import Term as Term
    from tutelage.losses.signals import Signals as Signals
    from tutelage.losses.targets import soften as soften
    from tutelage.losses.targets import temper as temper
    from tutelage.losses.targets import untemper as untemper
    from tutelage.losses.value_terms import gaussian as gaussian
    from tutelage.losses.value_terms import hard_bernoulli as hard_bernoulli
    from tutelage.losses.value_terms import huber as huber
    from tutelage.losses.value_terms import soft_bernoulli as soft_bernoulli
    from tutelage.losses.value_terms import squared_error as squared_error
    from tutelage.losses.value_terms import teacher_bounded as teacher_bounded
    from tutelage.search.sweep import sweep as sweep
    from tutelage.search.transfer_curve import transfer_curve as transfer_curve
    from tutelage.softlabels.folder import open_labels as open_labels
    from tutelage.softlabels.labels import SoftLabels as SoftLabels
    from tutelage.softlabels.logs import read_answers as read_answers
    from tutelage.softlabels.recording import record as record
    from tutelage.students.any_estimator import SoftTargets as SoftTargets
    from tutelage.students.boosting import SoftBoosting as SoftBoosting
    from tutelage.students.distilled import DistilledClassifier as DistilledClassifier
    from tutelage.students.distilled import DistilledRegressor as DistilledRegressor
    from tutelage.students.linear import SoftLogistic as SoftLogistic
    from tutelage.students.mlp import SoftMLP as SoftMLP
    from tutelage.students.multilabel import PerLabel as PerLabel
    from tutelage.students.saved.save_load import load_student as load_student
    from tutelage.students.saved.save_load import save_student as save_student
    from tutelage.students.trees import SoftForest as SoftForest
    from tutelage.students.trees import SoftTree as SoftTree
    from tutelage.teachers.adapt import as_teacher as as_teacher
    from tutelage.teachers.adapters.torch_module import load_weights as load_weights
    from tutelage.teachers.ensemble import ensemble as ensemble
    from tutelage.teachers.open import open_teacher as open_teacher
    from tutelage.teachers.relabel import relabelled as relabelled
    from tutelage.training.accelerated import Accelerated as Accelerated
    from tutelage.training.settings import one_cycle as one_cycle
    from tutelage.training.student import TorchStudent as TorchStudent

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
    "load_weights": "teachers.adapters.torch_module",
    "ensemble": "teachers.ensemble",
    "relabelled": "teachers.relabel",
    "check_teacher": "checks.checklist",
    "record": "softlabels.recording",
    "open_labels": "softlabels.folder",
    "SoftLabels": "softlabels.labels",
    "read_answers": "softlabels.logs",
    "preflight": "checks.preflight",
    "soften": "losses.targets",
    "temper": "losses.targets",
    "untemper": "losses.targets",
    "hard_cross_entropy": "losses.class_terms",
    "soft_cross_entropy": "losses.class_terms",
    "kl_divergence": "losses.class_terms",
    "logit_matching": "losses.class_terms",
    "reverse_kl": "losses.class_terms",
    "jensen_shannon": "losses.class_terms",
    "decoupled": "losses.class_terms",
    "dist": "losses.class_terms",
    "standardised_divergence": "losses.class_terms",
    "weighted_soft_labels": "losses.class_terms",
    "virtual_teacher": "losses.class_terms",
    "hard_bernoulli": "losses.value_terms",
    "soft_bernoulli": "losses.value_terms",
    "squared_error": "losses.value_terms",
    "huber": "losses.value_terms",
    "gaussian": "losses.value_terms",
    "teacher_bounded": "losses.value_terms",
    "hint": "losses.hidden_terms",
    "attention_transfer": "losses.hidden_terms",
    "relational_distance": "losses.hidden_terms",
    "relational_angle": "losses.hidden_terms",
    "similarity_preserving": "losses.hidden_terms",
    "probabilistic_transfer": "losses.hidden_terms",
    "contrastive": "losses.hidden_terms",
    "Objective": "losses.objective",
    "Term": "losses.objective",
    "Signals": "losses.signals",
    "SoftTree": "students.trees",
    "DistilledClassifier": "students.distilled",
    "DistilledRegressor": "students.distilled",
    "SoftForest": "students.trees",
    "SoftLogistic": "students.linear",
    "SoftBoosting": "students.boosting",
    "SoftMLP": "students.mlp",
    "SoftTargets": "students.any_estimator",
    "PerLabel": "students.multilabel",
    "TorchStudent": "training.student",
    "one_cycle": "training.settings",
    "Accelerated": "training.accelerated",
    "save_student": "students.saved.save_load",
    "load_student": "students.saved.save_load",
    "evaluate": "evaluation.evaluate",
    "compare": "evaluation.paired",
    "ReliabilityDisplay": "evaluation.displays.reliability",
    "AgreementDisplay": "evaluation.displays.decisions",
    "FidelityDisplay": "evaluation.displays.fidelity",
    "paired_difference": "evaluation.significance",
    "export_onnx": "exporters.parity",
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
