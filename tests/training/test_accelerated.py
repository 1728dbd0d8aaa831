import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tutelage.core.errors import BadInput
from tutelage.training.accelerated import Accelerated, tracked
from tutelage.training.state import Report

SCRIPT = """
import sys
import numpy as np, torch
from functools import partial
from safetensors.torch import save_file
from torch import nn
from tutelage.core import torch_runtime
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.softlabels.recording import record
from tutelage.training.student import TorchStudent
from tutelage.training.settings import one_cycle
from tutelage.teachers.adapt import as_teacher

torch.set_num_threads(1)
rng = np.random.default_rng(0)
rows, labels = rng.normal(size=(97, 6)).astype(np.float32), rng.integers(0, 3, 97)  # the last batch is one row, for two processes
with torch_runtime.seeded(1):
    teacher = as_teacher(nn.Linear(6, 3), classes=range(3))
with torch_runtime.seeded(2):
    network = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 3))
backend = None
if len(sys.argv) > 2:
    from accelerate import Accelerator
    from tutelage.training.accelerated import Accelerated
    backend = Accelerated(Accelerator(cpu=True))
    assert backend.accelerator.num_processes == 2
reports = []
TorchStudent(network, 0.5 * soft_cross_entropy(temperature=2.0) + 0.5 * hard_cross_entropy()).fit(
    rows, record(teacher, rows), labels, validation=(rows[:30], labels[:30]), epochs=5, batch_size=16, schedule=one_cycle,
    optimizer=partial(torch.optim.SGD, lr=0.3, momentum=0.9), clip_norm=1.0, backend=backend, callbacks=[reports.append],
)
if backend is None or backend.writes_checkpoints:
    losses = torch.tensor([report.loss for report in reports])
    save_file({**network.state_dict(), "losses": losses}, sys.argv[1])
"""


def test_two_processes_train_the_same_student_as_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes=2",
        "--num_machines=1",
        "--dynamo_backend=no",
    ]
    launch += ["--mixed_precision=no", "--main_process_port=0"]
    for command in ([sys.executable, script, tmp_path / "one"], [*launch, script, tmp_path / "two", "distributed"]):
        ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
        assert ran.returncode == 0, ran.stderr
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-5)


class FakeAccelerator(SimpleNamespace):
    gradient_accumulation_steps, is_main_process, device = 1, False, torch.device("cpu")


def test_every_row_belongs_to_one_process_and_counts_once():
    order = torch.randperm(35)
    backends = [Accelerated(FakeAccelerator(process_index=index, num_processes=3)) for index in range(3)]
    parts = [backend.parts(order, 16) for backend in backends]
    assert {len(steps) for steps in parts} == {3}
    seen = torch.zeros(35)
    for step in range(3):
        size = len(order[16 * step : 16 * (step + 1)])
        for backend, shares in zip(backends, parts, strict=True):
            # The gradient of a sum over rows, exchanged as a mean over three processes.
            step_losses = backend.step_losses(torch.ones(1, 1), slice(step, step + 1)).item()
            seen.index_add_(0, shares[step], torch.full((len(shares[step]),), step_losses / len(shares[step]) / 3 * size))
    torch.testing.assert_close(seen, torch.ones(35))


def test_accumulated_gradients_are_refused():
    with pytest.raises(BadInput, match=r"over 4 steps; expected 1\. Set batch_size"):
        Accelerated(SimpleNamespace(gradient_accumulation_steps=4))


def test_trackers_log_every_term():
    logged = []
    accelerator = SimpleNamespace(log=lambda values, step: logged.append((step, values)))
    tracked(accelerator)(Report(3, 0.5, {"soft": 0.4, "hard": 0.1}, np.array([7.0]), 0.01, np.array([2])))
    assert logged == [(3, {"loss": 0.5, "loss/soft": 0.4, "loss/hard": 0.1, "learning_rate": 0.01, "validation": 7.0})]
