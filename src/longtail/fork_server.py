"""Imported first by the fork server, which then ends with its parent, also during its imports.

It and the workers that it forks leave Ctrl-C and a closed terminal to the parent, which ends them.
"""

import signal

from longtail.interruption import end_with_parent

end_with_parent()
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
