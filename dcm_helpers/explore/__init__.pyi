from .explorer import Explorer as Explorer
from .points import Points as Points
from .points import clouds_of as clouds_of
