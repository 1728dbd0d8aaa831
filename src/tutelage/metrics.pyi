from .evaluation.metrics.agreement import cross_entropy as cross_entropy
from .evaluation.metrics.agreement import kl_nats as kl_nats
from .evaluation.metrics.calibration import brier as brier
from .evaluation.metrics.calibration import expected_calibration_error as expected_calibration_error
from .evaluation.metrics.calibration import reliability_curve as reliability_curve
