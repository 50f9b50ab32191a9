from .cache import CACHE as CACHE
from .cache import kept as kept
from .hub import is_cached as is_cached
from .hub import require_hub as require_hub
from .packaged import PACKAGED as PACKAGED
from .packaged import PackagedGenerator as PackagedGenerator
from .packaged import download as download
from .packaged import unpack as unpack
