from .evaluation.agreement import cross_entropy as cross_entropy
from .evaluation.agreement import kl_nats as kl_nats
from .evaluation.calibration import brier as brier
from .evaluation.calibration import expected_calibration_error as expected_calibration_error
from .evaluation.calibration import reliability_curve as reliability_curve
