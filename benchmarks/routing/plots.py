"""The plots of docs/routing.md."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.figures import Outcomes, Results
from benchmarks.routing.policies import LEAST_LOADED, RANDOM, ROUND_ROBIN, SHIPPED

mpl.use("Agg")

_COLOURS = {SHIPPED: "#0b6e4f", ROUND_ROBIN: "#c84630", RANDOM: "#e0a030", LEAST_LOADED: "#5d5f9e"}
_SIZE = (6.4, 3.4)


def plot_results(assumed: Assumptions, results: Results, folder: Path) -> None:
    """Output by policy, and the distributions of the first tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    _plot_output(assumed, results.burst, folder / "routing-output.png")
    runs = (("a burst on shared prefixes", results.burst), ("a federation that breaks", results.federation))
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, (title, outcomes) in zip(axes, runs, strict=True):
        for name, colour in _COLOURS.items():
            waits_s = outcomes[name].waits_s
            shares = [(position + 1) / len(waits_s) for position in range(len(waits_s))]
            axis.plot(waits_s, shares, label=name, color=colour)
        axis.set(xscale="log", xlabel="seconds to the first token", title=title, xlim=(0.03, 400))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of requests")
    axes[1].legend(loc="lower right", fontsize=8)
    _save(figure, folder / "routing-first-tokens.png")


def _plot_output(assumed: Assumptions, outcomes: Outcomes, path: Path) -> None:
    figure, axis = plt.subplots(figsize=_SIZE)
    names = list(_COLOURS)
    axis.barh(names, [outcomes[name].output_tokens_per_s for name in names], color=list(_COLOURS.values()))
    measured = ((assumed.measured_blind_tokens_per_s, "at random"), (assumed.measured_affine_tokens_per_s, "by prefix"))
    for value, label in measured:
        axis.axvline(value, color="black", linestyle=":")
        axis.text(value, -0.95, f"measured by others,\n{label}", ha="center", fontsize=8)
    axis.set(xlabel="output tokens/s, eight replicas, a burst on shared prefixes", xlim=(0, 16500))
    axis.invert_yaxis()
    _save(figure, path)


def plot_sweep(found: dict[str, tuple[float, float]], folder: Path) -> None:
    """Both ratios by what was halved or doubled, beside their bounds."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 2, figsize=(10, 6.4), sharey=True)
    names = list(found)
    titles = ("output ÷ round robin's", "mean time to first token ÷ round robin's")
    for axis, title, column, bound in zip(axes, titles, (0, 1), (2.0, 0.2), strict=True):
        axis.plot([found[name][column] for name in names], names, "o", color=_COLOURS[SHIPPED])
        axis.axvline(bound, color="black", linestyle=":")
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    axes[1].set_xscale("log")
    axes[0].invert_yaxis()
    _save(figure, folder / "routing-sweep.png")


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
