"""What requests have left over goes back to the system: the C library would keep it for the next ones."""

import ctypes


def give_back() -> None:
    """Takes a few milliseconds. A template that is compiled, or a form with photos, leaves holes in the heap."""
    # Only glibc has it.
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
