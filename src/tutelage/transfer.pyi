from .data.transfer import Jitter as Jitter
from .data.transfer import Mixup as Mixup
from .data.transfer import Munge as Munge
from .data.transfer import UniformNoise as UniformNoise
from .data.transfer import UnlabelledPool as UnlabelledPool
from .data.views import Affine as Affine
from .data.views import Views as Views
