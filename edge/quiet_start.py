"""Ctrl-C while a command line is still being loaded ends it at once, without a traceback.

It takes effect by being imported, before anything that takes time to load; `over` ends it.
"""

import signal

_EARLY = signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""Not where somebody has already decided, as `nohup` does."""
if _EARLY:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def over() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again."""
    if _EARLY and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
