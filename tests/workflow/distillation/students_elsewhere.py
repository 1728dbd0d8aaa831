"""A training of a module, as worker processes import it, with which a worker ends."""

import os
import signal

from tutelage.workflow.distillation.searching.search import tried


def deadly(shared, arm, name, *given):
    """A trial; that of a linear model kills its process."""
    if name == "logistic":
        os.kill(os.getpid(), signal.SIGKILL)
    return tried(shared, arm, name, *given)
