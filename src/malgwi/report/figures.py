"""Training curves and attention as picture files, SVG or PNG by the name given.

matplotlib's Figure is used directly: pyplot would choose a window system and keep state. Text in
an SVG stays text, so that the viewer's own fonts draw the Hangul.

Shapes: U tokens, T encoder frames.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from numpy.typing import NDArray

from malgwi.checkpoint import write_bytes
from malgwi.errors import ConfigError

#: How the names of fonts with Hangul begin, in order of preference.
HANGUL_FONTS = (
    "Pretendard",
    "Noto Sans KR",
    "Noto Sans CJK",
    "Apple SD Gothic",
    "Malgun Gothic",
    "Nanum",
    "UnDotum",
    "Baekmuk",
)
#: Series of metrics.jsonl that belong into one picture: title, names, unit.
CURVES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Loss (nats a unit)", ("loss", "loss_attention", "loss_ctc")),
    ("Development CER without spaces (%)", ("dev_cer",)),
    ("Learning rate", ("learning_rate",)),
)


def series(
    metrics: Sequence[Mapping[str, Any]], name: str, *, points: int = 300
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One curve of metrics.jsonl: steps and values, averaged down to at most ``points``.

    Records without the name, and values that are no finite number, are passed over.

    >>> steps, values = series([{"step": 1, "loss": 4.0}, {"step": 2, "loss": "nan"}], "loss")
    >>> steps.tolist(), values.tolist()
    ([1.0], [4.0])
    """
    pairs = [
        (record["step"], record[name])
        for record in metrics
        if "step" in record and _is_number(record.get(name))
    ]
    if not pairs:
        return np.empty(0), np.empty(0)
    parts = np.array_split(np.array(pairs, dtype=np.float64), min(points, len(pairs)))
    means = np.stack([part.mean(axis=0) for part in parts])
    return means[:, 0], means[:, 1]


def plot_curves(metrics: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw loss, development CER and learning rate over the training steps.

    Args:
        metrics: Records of metrics.jsonl.
        path: Ends in .svg or .png; replaced at once when the picture is complete.

    Raises:
        ConfigError: Another ending.
    """
    with _saved(path, height=8.0) as figure:
        axes = figure.subplots(len(CURVES), 1, sharex=True)
        for axis, (title, names) in zip(axes, CURVES, strict=True):
            found = {name: series(metrics, name) for name in names}
            for name, (steps, values) in found.items():
                scale = 100.0 if name == "dev_cer" else 1.0
                marker = "o" if len(steps) <= 40 else ""
                if len(steps):
                    axis.plot(steps, scale * values, label=name, marker=marker, markersize=3)
            axis.set_title(title, loc="left", fontsize=10)
            axis.grid(alpha=0.3)
            if sum(len(steps) > 0 for steps, _ in found.values()) > 1:
                axis.legend(frameon=False, fontsize=8)
            axis.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel("step")


def plot_attention(matrix: NDArray[np.float32], tokens: Sequence[str], path: Path) -> None:
    """Draw which frames each token looked at.

    Args:
        matrix: [U, T] weights.
        tokens: U labels.
        path: Ends in .svg or .png; replaced at once when the picture is complete.

    Raises:
        ConfigError: Another ending, or as many labels as rows are not given.
    """
    if len(matrix) != len(tokens):
        raise ConfigError(f"{len(matrix)} rows of attention for {len(tokens)} tokens")
    with _saved(path, height=1 + 0.22 * len(tokens)) as figure:
        axis = figure.subplots()
        axis.imshow(matrix, aspect="auto", cmap="Blues", interpolation="nearest", vmin=0.0)
        axis.set_yticks(range(len(tokens)), labels=tokens, fontsize=9)
        axis.set_xlabel("encoder frame")
        axis.tick_params(length=0)


def attention_png(matrix: NDArray[np.float32]) -> bytes:
    """The weights as a picture of U × T points, darkest where largest, clear where nothing is."""
    weights = np.nan_to_num(np.asarray(matrix, dtype=np.float64))
    shares = weights / max(float(weights.max(initial=0.0)), 1e-9)
    pixels = np.empty((*weights.shape, 4))
    pixels[..., :3] = np.array([0x2F, 0x6F, 0xDE]) / 255
    pixels[..., 3] = np.sqrt(shares)  # so that weak links show too
    buffer = BytesIO()
    mpl.image.imsave(buffer, pixels, format="png")
    return buffer.getvalue()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


@contextmanager
def _saved(path: Path, *, height: float) -> Iterator[Figure]:
    """A figure to draw on; written to the path when drawn."""
    form = path.suffix.removeprefix(".")
    if form not in ("svg", "png"):
        raise ConfigError(f"a picture is written as .svg or .png, not as {path.name!r}")
    installed = sorted(font_manager.get_font_names())
    families = [name for start in HANGUL_FONTS for name in installed if name.startswith(start)]
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "malgwi",  # the same curves give the same file
        "font.family": ["DejaVu Sans", *families, "sans-serif"],
        "text.parse_math": False,  # a $ in a transcript is a $
    }
    buffer = BytesIO()
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(8, height), layout="constrained")
        yield figure
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(buffer, format=form, dpi=144, metadata=metadata)
    write_bytes(path, buffer.getvalue())
