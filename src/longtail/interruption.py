"""Ctrl-C, SIGTERM and SIGHUP (a closed terminal) end a command with one message."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from longtail.errors import RunInterruptedError

MESSAGE = "interrupted. Run the same command again."
# As a shell says of a command that Ctrl-C ended, so that a script can tell it from a failure.
EXIT_STATUS = 128 + signal.SIGINT
# Of Linux' prctl: the signal that this process gets when its parent ends.
PR_SET_PDEATHSIG = 1
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def interruptible(message: str = MESSAGE) -> Iterator[None]:
    """Turn the signals into an error, so that hooks and callers can end their work.

    Args:
        message: what the error says.

    Raises:
        RunInterruptedError: if one of the signals arrives.
    """
    previous, hook = _handle(_interrupt), sys.unraisablehook
    if previous:
        sys.unraisablehook = partial(_send_again, hook)
    try:
        yield
    except KeyboardInterrupt:
        raise RunInterruptedError(message) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if previous:
            sys.unraisablehook = hook


def end_at_once() -> None:
    """Let the signals end this process with the message, while there is nothing to clean up."""
    _handle(_end)


def end_with_parent() -> None:
    """Let this process be killed when the thread that started it ends; on Linux only."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


def _send_again(report: Callable[[Any], Any], lost: Any) -> None:
    """Send a signal again if its error was raised where Python drops errors, as in ``__del__``.

    Args:
        report: what else is called with a dropped error.
        lost: what Python says of it, see :func:`sys.unraisablehook`.
    """
    match lost.exc_value:
        case KeyboardInterrupt(args=(int() as number,)):
            # A moment later: an error that is raised in here would be dropped, too.
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        case _:
            report(lost)


def _handle(handler: Any) -> dict[int, Any]:
    """Set the handler of all signals but those that are ignored, as by ``nohup``.

    Returns:
        The handlers before, by signal.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    handled = {n: before for n, before in previous.items() if before != signal.SIG_IGN}
    for number in handled:
        signal.signal(number, handler)
    return handled


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, f"Error: {MESSAGE}\n".encode())
    os._exit(EXIT_STATUS)
