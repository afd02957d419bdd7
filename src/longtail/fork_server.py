"""Imported first by the fork server, which then ends with its parent, also during its imports.

It and the workers that it forks leave Ctrl-C and a closed terminal to the parent, which ends them.
"""

import signal

from longtail.interruption import end_with_parent

end_with_parent()
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
# They are blocked before that, by longtail.workers.warm_up.
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGHUP])
