"""When distributed processes check their losses. What a monitor reports of a training is tested in test_loop."""

from types import SimpleNamespace

import torch

from tutelage.training.accelerated import Accelerated
from tutelage.training.feeding.feeds import in_batches
from tutelage.training.state import State
from tutelage.training.watching.loss_monitor import LossMonitor


def test_processes_check_at_the_same_steps():
    order, checked = torch.randperm(11), []
    for index in range(2):  # of the last batch, of 3, one has as many rows as of the others, of 4
        accelerator = SimpleNamespace(
            gradient_accumulation_steps=1, is_main_process=False, process_index=index, num_processes=2, device=None
        )
        backend, shapes = Accelerated(accelerator), []
        parts = backend.parts(in_batches(order, 4))
        backend.over_processes = lambda losses, shapes=shapes: shapes.append(tuple(losses.shape)) or losses
        monitor = LossMonitor(State({}, None, epoch=1), backend, [4, 4, 3])
        for step, rows in enumerate(parts):
            monitor.add({"loss": torch.ones(len(rows))}, rows, step)
        monitor.check()
        checked.append(shapes)
    assert checked == [[(2,), (1,)]] * 2
