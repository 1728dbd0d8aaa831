"""The table of `bench`."""

from __future__ import annotations

from rich.table import Table

from tutelage.core.records import Bench, Contender, Latency


def bench_table(result: Bench) -> Table:
    """One row a contender."""
    where = ", ".join(f"{one.name} in {one.runtime}" for one in result.contenders)
    caption = (
        f"One thread on {result.processor}; {where}. Medians while nothing else slowed the machine down, with 95 % intervals over "
        "processes; 99 % is of all calls. Bytes are those of the file, of the pickle for teacher and student; MiB the peak of the whole "
        "process."
    )
    table = Table(caption=caption, box=None, pad_edge=False, caption_justify="left")
    table.add_column("", no_wrap=True)
    for head in ("1 row, µs", "99 %, µs", "rows/s", "slower", "bytes", "MiB", "mult-adds"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in result.contenders:
        table.add_row(one.name, *_cells(one))
    return table


def _cells(one: Contender) -> tuple[str, ...]:
    return (
        _microseconds(one.alone),
        _three(one.alone.p99_us),
        _three(1e6 / one.batch.p50_us),
        "fastest" if one.slower is None else f"{_three(one.slower[0])}x {_span(*one.slower)}",
        f"{one.size_bytes:,}",
        _three(one.peak_bytes / 2**20) if one.peak_bytes else "-",
        "-" if one.multiply_adds is None else f"{one.multiply_adds:,}",
    )


def _microseconds(latency: Latency) -> str:
    return _three(latency.p50_us) + ("" if latency.ci95_us is None else f" {_span(latency.p50_us, *latency.ci95_us)}")


def _span(middle: float, low: float, high: float) -> str:
    """The half width of an interval in percent."""
    return f"±{max(high - middle, middle - low) / middle:.0%}"


def _three(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{float(f'{value:.3g}'):,.0f}"
