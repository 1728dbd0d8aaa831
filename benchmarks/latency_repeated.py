"""How far the latency of one ONNX file differs when it is measured again: as `tutelage bench` does, and as the median of all calls.

    .venv/bin/python benchmarks/latency_repeated.py

Each line is one measurement of a second: the latency with its interval, and the median of all its calls. Run it while other programs run.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import make_classification

import tutelage as tl
from tutelage.exporters.bench.repeats import Repeats
from tutelage.exporters.bench.shipped import shipped_file


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=20)
    times = options.parse_args().times
    warnings.simplefilter("ignore")
    X, y = make_classification(900, 20, n_informative=8, n_classes=3, random_state=0)
    student = tl.SoftLogistic().fit(X, y)
    calls: list[Any] = []
    once = Repeats.measure

    def watched(self: Repeats, child: Any, seconds: float) -> None:
        once(self, child, seconds)
        calls.extend(self.processes[-1])

    Repeats.measure = watched  # type: ignore[method-assign]
    found, medians = [], []
    for _ in range(times):
        calls.clear()
        latency = shipped_file(student, "onnx", check_on=X).latency(seconds=1.0)
        assert latency.ci95_us is not None
        found.append((latency.ci95_us[0], latency.p50_us, latency.ci95_us[1]))
        medians.append(float(np.median(np.concatenate(calls))) * 1e6)
        print(f"{latency.p50_us:.2f} ({found[-1][0]:.2f} to {found[-1][2]:.2f}) µs; all calls: {medians[-1]:.2f} µs", flush=True)
    middles = [middle for _, middle, _ in found]
    pairs = [(a, b) for place, a in enumerate(found) for b in found[:place]]
    overlap = np.mean([a[0] <= b[2] and b[0] <= a[2] for a, b in pairs])
    print(
        f"{times} measurements: {min(middles):.2f} to {max(middles):.2f} µs; intervals of two overlap in {overlap:.0%} of pairs; "
        f"medians of all calls: {min(medians):.2f} to {max(medians):.2f} µs."
    )


if __name__ == "__main__":
    main()
