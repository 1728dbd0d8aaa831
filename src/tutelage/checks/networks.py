"""Check the torch networks inside a teacher: their mode, and whether the student shares weights with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tutelage.checks.findings import Finding
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, shown
from tutelage.teachers.held_networks import networks_in


def check_mode(teacher: Teacher) -> Iterator[Finding]:
    """Find networks in train mode."""
    networks = networks_in(teacher)
    if not networks:
        return
    training = [network for network in networks if any(module.training for module in network.modules())]
    figure = {"networks": len(networks), "in train mode": len(training)}
    if training:
        sentence = f"{len(training)} of {len(networks)} networks are in train mode; tutelage's adapter still runs them in eval mode."
        yield Finding("eval-mode", "note", figure, sentence, "Call network.eval() after loading if other code uses the same network.")
    else:
        yield Finding("eval-mode", "ok", figure, "every network is in eval mode.")


def check_student(teacher: Teacher, student: Any) -> Iterator[Finding]:
    """Check that the student is another object, shares no weights with the teacher, and is not larger. None is not checked."""
    if student is None:
        return
    if not any(hasattr(student, name) for name in ("fit", "network", "parameters", "answer")):
        raise BadInput(f"student is {shown(student)}; expected the untrained student: an estimator, a torch Module or a TorchStudent.")
    wrapped = getattr(teacher, "__dict__", {}).values()
    if student is teacher or any(student is value for value in wrapped):
        sentence = "the student is the same object as the teacher, so it agrees with itself perfectly and learns nothing."
        yield Finding("student", "error", {"same object": True}, sentence, "Build a new student, or copy.deepcopy the teacher.")
        return
    teachers, students = _weights(teacher), _weights(student)
    shared = teachers.keys() & students.keys()
    sizes = {"teacher weights": sum(teachers.values()), "student weights": sum(students.values())}
    if shared:
        sentence = (
            f"student and teacher share {len(shared)} of the student's {len(students)} weight tensors; training one changes the other."
        )
        yield Finding(
            "student",
            "error",
            {"shared tensors": len(shared), **sizes},
            sentence,
            "Give the student separate weights: copy.deepcopy the shared layers.",
        )
    elif teachers and sizes["student weights"] > sizes["teacher weights"]:
        sentence = f"the student has {sizes['student weights']} weights and the teacher {sizes['teacher weights']}."
        yield Finding("student", "warning", sizes, sentence, "Check that teacher and student are not swapped.")
    else:
        yield Finding("student", "ok", sizes if teachers and students else {}, "the student and the teacher are separate objects.")


def _weights(thing: Any) -> dict[int, int]:
    """Size of every weight tensor by its memory address."""
    weights = [weight for network in networks_in(thing) for weight in network.parameters()]
    return {weight.data_ptr(): weight.numel() for weight in weights}
