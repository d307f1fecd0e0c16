"""The ``espeak-ng`` program: pronounced Hangul in, speech out.

The program is GPL and optional: it is run as a subprocess, never linked. The surprising thing is
that a voice variant it does not know silently gives the plain voice, so two speakers would be one;
``check_variants`` asks for its own list first.

Source: https://github.com/espeak-ng/espeak-ng, docs/guide.md and docs/voices.md.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import soundfile

from malgwi.errors import MalgwiError

Samples = npt.NDArray[np.float32]

PROGRAM = "espeak-ng"


def speak(
    pronounced: str, variant: str, *, pitch: int = 50, speed_wpm: int = 200
) -> tuple[Samples, int]:
    """The samples [N] of one sentence, and their rate in Hz.

    Args:
        pronounced: Hangul as it sounds (`malgwi.text.pronounce`), numbers written out.
        variant: A voice variant of the program, e.g. ``f2``.
        pitch: 0 … 99.
        speed_wpm: Words a minute, 80 … 450.

    Raises:
        MalgwiError: The program is missing or failed.
    """
    options = ["-v", f"ko+{variant}", "-p", str(pitch), "-s", str(speed_wpm), "-z", "--stdout"]
    coded = _run([*options, "--", pronounced])
    samples, rate_hz = soundfile.read(io.BytesIO(coded), dtype="float32")
    return samples, rate_hz


def version() -> str:
    """The installed version, e.g. ``1.51``; audio is the same bit for bit only within one."""
    match = re.search(r"text-to-speech: (\S+)", _run(["--version"]).decode())
    return match.group(1) if match else "unknown"


def variants() -> frozenset[str]:
    """The voice variants that the installed program really has."""
    listing = _run(["--voices=variant"]).decode()
    return frozenset(re.findall(r"!v/(.+?)\s*(?:\(.*)?$", listing, flags=re.MULTILINE))


def check_variants(wanted: Iterable[str]) -> None:
    """Refuse variants that would silently give the plain voice.

    Raises:
        MalgwiError: Names those that are missing.
    """
    known = variants()
    missing = sorted(set(wanted) - known)
    if missing:
        raise MalgwiError(
            f"{PROGRAM} {version()} has no voice variant {', '.join(missing)}: install the version "
            "that brings them (1.51 does), or choose among those of `espeak-ng --voices=variant`"
        )


def _run(arguments: list[str]) -> bytes:
    program = shutil.which(PROGRAM)
    if program is None:
        raise MalgwiError(
            f"the program {PROGRAM!r} is not installed: apt install espeak-ng, or brew install "
            "espeak-ng; the corpus that ships with malgwi needs no synthesis"
        )
    done = subprocess.run([program, *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()
        raise MalgwiError(f"{PROGRAM} {' '.join(arguments)} failed: {message}")
    return done.stdout
