"""The garbage collector of a process that lives long."""

import gc


def settle() -> None:
    """
    Spare the garbage collector what lives as long as the process: call it once, when everything is loaded and made.

    A full collection walks every object; with our modules loaded one such pause shows in the door's slowest answers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
