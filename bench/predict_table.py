"""The table that ``bench.predict`` prints."""

from __future__ import annotations

from typing import Any

OURS = ("fp32", "int8")
SIDES = (*OURS, "baseline")
CLIENTS = (1, 8, 32)

Figures = dict[str, Any]


def print_table(report: Figures) -> None:
    heads = "".join(f"{f'{clients} client' + 's' * (clients > 1):>18}" for clients in CLIENTS)
    print(f"{'':18}{'one request':>12}{heads}{'peak':>9}{'F1':>8}")
    print(f"{'':18}{'tasks/s':>12}{'p50 / p95 ms':>18}{'p50 / p95 ms':>18}{'p50 / p95 ms':>18}{'MB':>9}")
    for name in SIDES:
        print(f"{name:18}{_row(report[name]) if report[name] else '  not published'}")
    for name in OURS:
        if report[name]:
            print(f"{name + ' ÷ baseline':18}{_ratio_row(report[name], report['baseline'])}")
    print_ceiling(report["ceiling"])
    same = report["same_tags"]
    print(f"Words tagged the same by torch and fp32 ONNX: {same['share']:.4%} of {same['words']:,}.")
    for name, bulk in report.get("bulk", {}).items():
        print(
            f"{bulk['tasks']:,} tasks in one request, {name}: {bulk['seconds']:.1f} s, {bulk['rss_mb']:.0f} MB; single "
            f"tasks meanwhile: p50 {bulk['single']['p50_ms']:.0f} ms, p95 {bulk['single']['p95_ms']:.0f} ms."
        )


def print_ceiling(limit: Figures) -> None:
    libraries = ", ".join(f"{name} {rate:.0f}" for name, rate in limit["by_library"].items())
    print(
        f"Matrix products alone, fp32 on all cores: {limit['gflop_per_s']:.0f} GFLOP/s (of {libraries}); at "
        f"{limit['gflop_per_text']:.3f} GFLOP a text that is {limit['texts_per_s']:.0f} texts/s, of which fp32 "
        f"reaches {limit['fp32_share']:.0%}."
    )
    if limit["fp32_share"] > 1:
        print("More than 100 % is impossible: the machine was busy while the products were measured. Run it again.")


def _row(figures: Figures) -> str:
    cells = [figures["concurrent"][str(clients)] for clients in CLIENTS]
    waits = "".join(f"{cell['p50_ms']:10.1f} /{cell['p95_ms']:6.1f}" for cell in cells)
    return f"{figures['tasks_per_s']:12.0f}{waits}{figures['rss_mb']:9.0f}{figures['f1']:8.3f}"


def _ratio_row(ours: Figures, baseline: Figures) -> str:
    pairs = [(ours["concurrent"][str(clients)], baseline["concurrent"][str(clients)]) for clients in CLIENTS]
    waits = "".join(f"{a['p50_ms'] / b['p50_ms']:10.2f} /{a['p95_ms'] / b['p95_ms']:6.2f}" for a, b in pairs)
    rate, memory = ours["tasks_per_s"] / baseline["tasks_per_s"], ours["rss_mb"] / baseline["rss_mb"]
    return f"{rate:12.1f}{waits}{memory:9.2f}"
