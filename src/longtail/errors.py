"""The errors that the user can fix: each message says how."""

from concurrent.futures import BrokenExecutor


class LongtailError(Exception):
    """Base class of the errors that are shown as one message, without a traceback."""


class ConfigurationError(LongtailError):
    """The parameters name something unknown, misspelt or out of range."""


class DataError(LongtailError):
    """Images, an archive, a folder or a stored file are missing or invalid."""


class TrainingError(LongtailError):
    """A training cannot continue: the loss is not finite, or the memory ran out."""


class DivergedError(TrainingError):
    """The loss of a training is not finite."""


class WriteError(LongtailError):
    """A file cannot be written, so no other trial can be saved either."""


class DiskFullError(WriteError):
    """The disk is full."""


class TrialsFailedError(LongtailError):
    """Some trials failed; the others are finished and saved."""


class RunInterruptedError(LongtailError):
    """The user or the system asked the run to stop."""


class SilentWorkerError(BrokenExecutor):
    """A cluster gave up a worker that did not answer; nothing says that its trial is to blame."""
