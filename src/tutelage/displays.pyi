from .evaluation.displays.decisions import AgreementDisplay as AgreementDisplay
from .evaluation.displays.fidelity import FidelityDisplay as FidelityDisplay
from .evaluation.displays.reliability import ReliabilityDisplay as ReliabilityDisplay
from .search.transfer_display import TransferCurveDisplay as TransferCurveDisplay
