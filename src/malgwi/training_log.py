"""What a run says while it trains: a progress bar, metrics.jsonl, TensorBoard.

metrics.jsonl is the record; the rest are views of it. On resume the lines past the resumed step
are dropped, so that no step is recorded twice.
"""

import json
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from malgwi.checkpoint import write_bytes
from malgwi.errors import MissingExtraError


class TrainingLog:
    """Progress bar and records of one run folder.

    Args:
        folder: The run folder.
        console: Where the bar goes; None is silent.
        tensorboard: Write event files: ``auto`` where TensorBoard is installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        console: Console | None = None,
        tensorboard: Literal["auto", "on", "off"] = "auto",
    ) -> None:
        self.path = folder / "metrics.jsonl"
        self.console = console
        self._progress = _bar(console)
        self._task: TaskID | None = None
        self._writer = _writer(folder / "tensorboard", tensorboard)
        self._last_cer = math.nan

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("train", total=1.0, text="starting")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        if self._writer is not None:
            self._writer.close()

    def rewind(self, step: int) -> None:
        """Keep only the records of steps up to ``step``."""
        if self.path.exists():
            kept = [line for line in read_metrics(self.path) if line["step"] <= step]
            write_bytes(self.path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def record(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl and to TensorBoard."""
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **finite}, allow_nan=False) + "\n")
        self._last_cer = finite.get("dev_cer", self._last_cer) or math.nan
        if self._writer is not None:
            for name, value in finite.items():
                if isinstance(value, int | float):
                    self._writer.add_scalar(name, value, step)

    def show(
        self, *, progress: float, epoch: int, loss: float, speed: float, left_s: float
    ) -> None:
        """Move the bar."""
        if self._task is None:
            return
        cer = "–" if math.isnan(self._last_cer) else f"{100 * self._last_cer:.1f} %"
        text = (
            f"epoch {epoch}  loss {loss:.3f}  dev CER {cer}  {speed:.0f} × real time  "
            f"{_clock(left_s)} left"
        )
        self._progress.update(self._task, completed=min(progress, 1.0), text=text)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self.console is not None:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All records of a metrics.jsonl; a last line cut off by a kill is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break  # only the line being written when the process died can be torn
    return records


def _bar(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
        console=console or Console(quiet=True),
        disable=console is None,
        refresh_per_second=2,
    )


def _writer(folder: Path, wanted: Literal["auto", "on", "off"]) -> Any:
    installed = find_spec("tensorboard") is not None
    if wanted == "off" or (wanted == "auto" and not installed):
        return None
    if not installed:
        raise MissingExtraError("tensorboard", "tensorboard", "writing TensorBoard curves")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
