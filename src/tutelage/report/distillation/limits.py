"""The limits of a distillation: what is allowed, and what was measured of the chosen student."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tutelage.report.distillation.records import ArmResult, DistillationRecord
from tutelage.report.words import kilobytes, microseconds

NAMES = {"size": "size of the exported file", "latency": "latency of one row", "drop": "drop against the teacher"}
NOTES = {"latency": "upper end of the interval", "drop": "on validation rows"}


def limits_of(record: DistillationRecord) -> list[dict[str, Any]]:
    """Each limit: what is allowed, what was measured of the chosen student, and whether it is met."""
    chosen, found = record.arm(record.chosen), []
    texts: dict[str, Callable[[float], str]] = {
        "size": kilobytes,
        "latency": microseconds,
        "drop": lambda value: f"{value:.3g} {drop_unit(record.task, record.against)}",
    }
    for name, text in texts.items():
        allowed, measured = record.limits.get(name), measured_of(chosen)[name]
        if allowed is not None:
            found.append(
                {
                    "name": NAMES[name],
                    "allowed": text(allowed),
                    "measured": "-" if measured is None else text(measured),
                    "note": NOTES.get(name, ""),
                    "met": chosen.excess.get(name, 1.0) <= 0,
                    "excess": chosen.excess.get(name, 1.0),
                }
            )
    return found


def measured_of(arm: ArmResult) -> dict[str, float | None]:
    """What limits are compared with: bytes, microseconds and drop; None if it was not measured."""
    latency = None if arm.latency is None else arm.latency.p50_us if arm.latency.ci95_us is None else arm.latency.ci95_us[1]
    return {"size": arm.size_bytes, "latency": latency, "drop": arm.drop}


def drop_unit(task: str, against: str) -> str:
    """The unit of a drop against the teacher."""
    if task != "regression":
        return "points"
    return "% of the teacher's squared error" if against == "truth" else "% of the variance of the teacher's answers"


def limit_text(limit: Mapping[str, Any]) -> str:
    """One of `limits_of` as a sentence."""
    return f"Limit of the {limit['name']}: {limit['allowed']}; measured {limit['measured']}, {'met' if limit['met'] else 'exceeded'}."


def exceeded(record: DistillationRecord) -> str:
    """The limits that the chosen student exceeds, the worst first, as a phrase; "" if it meets all."""
    beyond = sorted((one for one in limits_of(record) if not one["met"]), key=lambda one: -one["excess"])
    return " and ".join(f"the {one['name']} ({_seen(one)}, {one['allowed']} allowed)" for one in beyond)


def _seen(limit: Mapping[str, Any]) -> str:
    return "not measured" if limit["measured"] == "-" else str(limit["measured"])
