"""The errors that are the user's to mend, not ours: each message says what to do."""


class LongtailError(Exception):
    """Base of the errors that are shown as one message, without a traceback."""


class ConfigurationError(LongtailError):
    """The parameters name something unknown, misspelt or out of range."""


class DataError(LongtailError):
    """The images, the archive or the folder cannot serve as they are."""


class TrainingError(LongtailError):
    """A training cannot go on: the loss is not finite, or the memory ran out."""


class DiskFullError(LongtailError):
    """Something could not be written for want of space; no other trial could be either."""


class TrialsFailedError(LongtailError):
    """Some trials failed; the others were finished and are kept."""


class RunInterruptedError(LongtailError):
    """The user or the system asked the run to stop."""
