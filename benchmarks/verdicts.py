"""How often a verdict is false, and how often a true difference is seen, by simulation.

Two students that differ in nothing but their seeds are compared on simulated test rows, again and again, with the formula of
`tl.paired_difference`. A false verdict is an interval that excludes zero. Each answer is a sum of normal effects on the
logit of the right class: of the row (shared by both students), of the seed, of the student on the row, and of all together.
The same answers give accuracy, negative log-likelihood and squared error (of the logit from its mean). Effects of the seeds are
none, such that they contribute about as much to the difference as the rows do, or far more.

Printed as the tables of docs/guide/verdicts.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.evaluation.intervals import half_widths, rare_rows_caution
from tutelage.evaluation.verdicts import LEVEL_OF_POWER, pair_verdict, paired_rows

SEEDS = (2, 3, 5, 10, 20)
ROWS = 1000
SEED_EFFECTS = {"none": 0.0, "as the rows": 0.06, "far more": 0.3}
"""Standard deviation of a seed's effect on every logit of a student."""
OF_ROW, OF_STUDENT, OF_ALL, RIGHT = 2.0, 0.5, 0.5, 2.4
"""Standard deviations of the other effects, and the mean logit: about 87 % of the rows are right."""
SHIFTS = {1.0: 0.098, 2.5: 0.237, 5.0: 0.448}
"""Points of accuracy, and the shift of the logit that costs them."""
AT_ONCE = 50

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Cell:
    """One row of the table: false verdicts by metric, and how often true differences are seen, in per cent."""

    seeds: int
    shared_rows: bool
    seed_effects: str
    false: dict[str, float]
    seen: dict[float, float]


def scores(logits: Array) -> dict[str, Array]:
    """Right or wrong, negative log-likelihood and squared error of logits of the right class."""
    return {"accuracy": (logits > 0).astype(np.float32), "NLL": np.logaddexp(0, -logits), "squared error": (logits - RIGHT) ** 2}


def logits(rng: np.random.Generator, size: tuple[int, int, int], *, shared_rows: bool, seed_effect: float) -> tuple[Array, Array]:
    """(repeats, seeds, rows) logits of two students that differ in nothing but their seeds."""
    repeats, seeds, rows = size
    by_row = (repeats, 1, rows) if shared_rows else size
    of_row = RIGHT + OF_ROW * rng.standard_normal(by_row, dtype=np.float32)

    def student() -> Array:
        found: Array = of_row + OF_STUDENT * rng.standard_normal(by_row, dtype=np.float32)
        found = found + np.float32(seed_effect) * rng.standard_normal((repeats, seeds, 1), dtype=np.float32)
        return found + OF_ALL * rng.standard_normal(size, dtype=np.float32)

    return student(), student()


def excludes_zero(differences: Array, *, shared_rows: bool) -> NDArray[np.bool_]:
    """(repeats,): whether the interval excludes zero."""
    exact = differences.astype(np.float64)
    return np.asarray(np.abs(exact.mean(axis=(1, 2))) > half_widths(exact, shared_rows=shared_rows))


def cells(repeats: int, *, seeds: tuple[int, ...] = SEEDS, rows: int = ROWS, power: bool = True) -> Iterator[Cell]:
    """The false verdicts and the power of every cell."""
    for shared_rows in (True, False):
        for name, seed_effect in SEED_EFFECTS.items():
            for count in seeds:
                yield _cell(repeats, (count, rows), shared_rows=shared_rows, seed_effects=name, seed_effect=seed_effect, power=power)


def _cell(repeats: int, size: tuple[int, int], *, shared_rows: bool, seed_effects: str, seed_effect: float, power: bool) -> Cell:
    rng = np.random.default_rng([size[0], shared_rows, int(1000 * seed_effect)])
    false = {"accuracy": 0, "NLL": 0, "squared error": 0}
    seen = dict.fromkeys(SHIFTS, 0)
    done = 0
    while done < repeats:
        a, b = logits(rng, (min(AT_ONCE, repeats - done), *size), shared_rows=shared_rows, seed_effect=seed_effect)
        done += len(a)
        of_a, of_b = scores(a), scores(b)
        for metric in false:
            false[metric] += int(excludes_zero(of_a[metric] - of_b[metric], shared_rows=shared_rows).sum())
        for points, shift in SHIFTS.items() if power else ():
            worse = (b > shift).astype(np.float32)
            seen[points] += int(excludes_zero(of_a["accuracy"] - worse, shared_rows=shared_rows).sum())
    percent = 100 / repeats
    return Cell(size[0], shared_rows, seed_effects, {k: v * percent for k, v in false.items()}, {k: v * percent for k, v in seen.items()})


def rare_losses(repeats: int, rows: int, *, seeds: int = 5, share: float = 0.005, loss: float = 10.0) -> tuple[float, float, float]:
    """False verdicts, and cautions among all runs and among runs with a false verdict, in per cent.

    One student loses `loss` nats on a share of the rows, whatever its seed; the other loses as much on average, spread
    evenly over all rows. Otherwise their losses differ by normal noise of 0.1 nats per row and per seed and row. The largest
    possible loss is 16.1 nats, as for probabilities of at least 1e-7.
    """
    rng = np.random.default_rng(rows)
    false, cautioned, both = 0, 0, 0
    for _ in range(-(-repeats // AT_ONCE)):
        noise = 0.1 * (rng.standard_normal((AT_ONCE, 1, rows)) + rng.standard_normal((AT_ONCE, seeds, rows)))
        differences = noise + loss * (rng.random((AT_ONCE, 1, rows)) < share) - loss * share
        means, halves = differences.mean(axis=(1, 2)), half_widths(differences, shared_rows=True)
        wrong = np.abs(means) > halves
        said = np.array([bool(rare_rows_caution(m - h, m + h, rows=rows, largest=16.1)) for m, h in zip(means, halves, strict=True)])
        false, cautioned, both = false + int(wrong.sum()), cautioned + int(said.sum()), both + int((wrong & said).sum())
    ran = -(-repeats // AT_ONCE) * AT_ONCE
    return 100 * false / ran, 100 * cautioned / ran, 100 * both / max(false, 1)


def power_of_detectable(repeats: int, seeds: int, seed_effect: float, level: float, *, rows: int = 400) -> float:
    """How often a true difference of the size that `detectable_difference` gives is found at a level, in per cent."""
    rng = np.random.default_rng([seeds, int(1000 * seed_effect)])

    def differences() -> NDArray[np.float64]:
        of_rows, of_all = rng.normal(size=(repeats, 1, rows)), rng.normal(size=(repeats, seeds, rows))
        return 0.5 * of_rows + 0.7 * of_all + seed_effect * rng.normal(size=(repeats, seeds, 1))

    first, second = differences(), differences()
    size = sum(float(half_widths(first, shared_rows=True, level=each).mean()) for each in (level, LEVEL_OF_POWER))
    found = second.mean(axis=(1, 2)) + size > half_widths(second, shared_rows=True, level=level)
    return 100 * float(found.mean())


def single_models(repeats: int, rows: int, seed_effect: float) -> float:
    """How often two models that differ in nothing but the seed "differ" by accuracy over test rows, in per cent."""
    rng = np.random.default_rng(rows)
    found = 0
    for _ in range(repeats):
        a, b = logits(rng, (1, 1, rows), shared_rows=True, seed_effect=seed_effect)
        difference, interval = paired_rows(a[0, 0] > 0, b[0, 0] > 0)
        found += pair_verdict(difference, interval) == "differ"
    return 100 * found / repeats


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="500 repeats, to check that it runs; under a minute")
    repeats = 500 if options.parse_args().quick else 10_000
    print("| test rows | effects of the seeds | seeds | accuracy | NLL | squared error | 1 point | 2.5 points | 5 points |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell in cells(repeats):
        figures = [*(f"{value:.1f}" for value in cell.false.values()), *(f"{value:.0f}" for value in cell.seen.values())]
        print(" | ".join([f"| {'shared' if cell.shared_rows else 'own'}", cell.seed_effects, str(cell.seeds), *figures]) + " |", flush=True)
    print("\n| test rows | false verdicts | cautioned, of all runs | cautioned, of the false verdicts |\n|---|---|---|---|")
    for rows in (200, 1000, 5000):
        false, cautioned, both = rare_losses(repeats if rows < 5000 else max(repeats // 5, 100), rows)
        print(f"| {rows} | {false:.1f} | {cautioned:.1f} | {both:.1f} |", flush=True)
    print("\n| effects of the seeds | 1 000 test rows | 10 000 test rows |\n|---|---|---|")
    for name, seed_effect in SEED_EFFECTS.items():
        found = [single_models(repeats if rows == 1000 else max(repeats // 5, 100), rows, seed_effect) for rows in (1000, 10_000)]
        print(f"| {name} | {found[0]:.1f} | {found[1]:.1f} |", flush=True)
    print("\n| effects of the seeds | seeds | found at 95 % | at 99 % | at 99.3 % |\n|---|---|---|---|---|")
    for name, seed_effect in {"none": 0.0, "as the rows": 0.03, "far more": 0.2}.items():
        for seeds in (3, 5, 10):
            found = [power_of_detectable(600, seeds, seed_effect, level) for level in (0.95, 0.99, 1 - 0.04 / 6)]
            print(f"| {name} | {seeds} | " + " | ".join(f"{value:.0f}" for value in found) + " |", flush=True)


if __name__ == "__main__":
    main()
