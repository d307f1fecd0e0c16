"""The errors a user can cause and mend; each message names the thing, the value and the remedy.

The command line prints these without a traceback and exits with status 2. Anything else that
escapes is a defect of malgwi and keeps its traceback.
"""


class MalgwiError(Exception):
    """Base of every error that the user can mend."""


class ConfigError(MalgwiError):
    """A setting, name or combination of settings that cannot work."""


class DataError(MalgwiError):
    """A corpus, manifest or text file that is missing, malformed or inconsistent."""


class AudioError(DataError):
    """An audio file that cannot be read as what it claims to be."""


class CheckpointError(MalgwiError):
    """A run folder or checkpoint that is missing, damaged or of another format version."""


class TrainingError(MalgwiError):
    """Training that cannot go on: non-finite losses, or nothing to train on."""


class MissingExtraError(MalgwiError):
    """An optional dependency that is not installed.

    Args:
        extra: The extra of this package that brings it, e.g. ``media``.
        package: The package that failed to import.
        need: What it was wanted for.
    """

    def __init__(self, extra: str, package: str, need: str) -> None:
        super().__init__(
            f"{need} needs the package {package!r}: install it with  pip install 'malgwi[{extra}]'"
        )
