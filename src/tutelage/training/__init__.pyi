from .accelerated import Accelerated as Accelerated
from .accelerated import tracked as tracked
from .settings import TrainingSettings as TrainingSettings
from .settings import one_cycle as one_cycle
from .stacks.networks import mlp as mlp
from .state import Fit as Fit
from .state import Report as Report
from .student import TorchStudent as TorchStudent
