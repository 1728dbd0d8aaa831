"""Students of a module, as worker processes import them; and what goes wrong in a worker."""

import os
import signal

from torch import nn

HERE = "TUTELAGE_TEST_DRIVER"
"""The environment variable with the number of the process of the test."""


def deadly(inputs, outputs):
    """A network, which kills every process that builds it but that of the test."""
    if os.environ[HERE] != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    return nn.Linear(inputs, outputs)
