"""The findings of preflight: frozen records, their JSON, and a table for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from tutelage.core.errors import SelfCheckFailed, printable

Severity = Literal["ok", "note", "warning", "error"]

SEVERITIES: tuple[Severity, ...] = ("ok", "note", "warning", "error")
"""From harmless to severe. An error means that a student trained on these answers would not learn what was intended."""

SCHEMA = 1
"""The schema number in the JSON; it increases when a reader of the old format would misread the new one."""

WIDTH = 120


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: the stable name of the check, such as "class-order".
        severity: "ok", "note" (for information), "warning" (likely to reduce quality) or "error" (do not train on this).
        figure: the measured numbers by name; plain JSON values.
        sentence: what was observed.
        remedy: what to do; empty if nothing needs to be done.
    """

    check: str
    severity: Severity
    figure: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "figure", {name: _plain(value) for name, value in self.figure.items()})


@dataclass(frozen=True)
class Preflight:
    """The findings of `preflight`, the most severe first. Printing it shows them as a table.

    Attributes:
        findings: sorted by severity; within one severity in the order of the checks.
        teacher: the teacher's fingerprint.
        rows: number of transfer rows that the teacher was queried with.
        of_rows: number of transfer rows that were passed.
        seed: of the random sample of those rows, and of every check that draws random numbers.
    """

    findings: tuple[Finding, ...]
    teacher: str
    rows: int
    of_rows: int
    seed: int

    def __post_init__(self) -> None:
        order = sorted(self.findings, key=lambda finding: -SEVERITIES.index(finding.severity))
        object.__setattr__(self, "findings", tuple(order))

    @property
    def worst(self) -> Severity:
        """The highest severity among the findings; "ok" if there are none."""
        return self.findings[0].severity if self.findings else "ok"

    @property
    def ok(self) -> bool:
        """Whether no finding is a warning or an error."""
        return self.worst in ("ok", "note")

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def raise_for_errors(self) -> Preflight:
        """Return itself, or raise if a finding is an error.

        Raises:
            SelfCheckFailed: lists every error with its remedy.
        """
        errors = self.of("error")
        if errors:
            listed = " ".join(f"[{finding.check}] {finding.sentence} {finding.remedy}".rstrip() for finding in errors)
            raise SelfCheckFailed(f"preflight found {_count(len(errors), 'error')}. {listed}")
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the schema number."""
        return {"schema": SCHEMA, "worst": self.worst, "ok": self.ok, **asdict(self)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Preflight:
        """The findings that `to_json` wrote."""
        findings = tuple(Finding(**finding) for finding in plain["findings"])
        return cls(findings, plain["teacher"], plain["rows"], plain["of_rows"], plain["seed"])

    def __str__(self) -> str:
        counts = Counter(finding.severity for finding in self.findings)
        tally = ", ".join(
            f"{counts['ok']} ok" if severity == "ok" else _count(counts[severity], severity)
            for severity in reversed(SEVERITIES)
            if counts[severity]
        )
        sample = f"{self.rows} of {self.of_rows} rows, seed {self.seed}" if self.rows < self.of_rows else f"{self.rows} rows"
        widest = max((len(finding.check) for finding in self.findings), default=0)
        return printable(
            "\n".join([f"preflight: {tally or 'nothing checked'} ({sample})", *(_line(finding, widest) for finding in self.findings)])
        )


def _line(finding: Finding, widest: int) -> str:
    margin = " " * (9 + widest + 2)
    text = " ".join(filter(None, [finding.sentence, f"-> {finding.remedy}" if finding.remedy else "", _figures(finding.figure)]))
    return f"{finding.severity:<9}{finding.check:<{widest}}  " + "\n".join(
        textwrap.wrap(text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False)
    ).removeprefix(margin)


def _figures(figure: Mapping[str, Any]) -> str:
    return f"({'; '.join(f'{name} {_short(value)}' for name, value in figure.items())})" if figure else ""


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_short(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(_short(inner) for inner in value[:6])}{', ...' if len(value) > 6 else ''}]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(value: Any) -> Any:
    """Plain JSON values; NaN and infinite numbers, which JSON cannot hold, become texts."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(inner) for inner in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return str(plain) if isinstance(plain, float) and not np.isfinite(plain) else plain
