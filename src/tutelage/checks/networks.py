"""The torch networks inside a teacher: their mode, and whether the student is one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tutelage.checks.findings import Finding
from tutelage.core.contracts import Teacher
from tutelage.teachers.held_networks import networks_in

if TYPE_CHECKING:
    pass


def check_mode(teacher: Teacher) -> Iterator[Finding]:
    """Networks that were given in train mode."""
    networks = networks_in(teacher)
    if not networks:
        return
    training = [network for network in networks if any(module.training for module in network.modules())]
    figure = {"networks": len(networks), "in train mode": len(training)}
    if training:
        sentence = f"{len(training)} of {len(networks)} networks came in train mode; tutelage's own adapter asks in eval mode all the same."
        yield Finding("eval-mode", "note", figure, sentence, "Call network.eval() after loading if anything else asks the same network.")
    else:
        yield Finding("eval-mode", "ok", figure, "every network is in eval mode.")


def check_student(teacher: Teacher, student: Any) -> Iterator[Finding]:
    """The student must be another object with weights of its own, and should be the smaller one; None is not judged."""
    if student is None:
        return
    wrapped = getattr(teacher, "__dict__", {}).values()
    if student is teacher or any(student is value for value in wrapped):
        sentence = "the student is the teacher: the same object, so it agrees with itself perfectly and learns nothing."
        yield Finding("student", "error", {"same object": True}, sentence, "Build the student anew, or copy.deepcopy the teacher.")
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
            "Give the student weights of its own: copy.deepcopy what it took.",
        )
    elif teachers and sizes["student weights"] > sizes["teacher weights"]:
        sentence = f"the student has {sizes['student weights']} weights and the teacher {sizes['teacher weights']}."
        yield Finding("student", "warning", sizes, sentence, "If this is not meant, teacher and student are swapped.")
    else:
        yield Finding("student", "ok", sizes if teachers and students else {}, "the student is another object than the teacher.")


def _weights(thing: Any) -> dict[int, int]:
    """Size of every weight tensor by where its memory lies."""
    weights = [weight for network in networks_in(thing) for weight in network.parameters()]
    return {weight.data_ptr(): weight.numel() for weight in weights}
