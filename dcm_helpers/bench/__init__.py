"""Our loop beside the ways contents are optimized elsewhere.

alternatives  one pair at a time, a static batch, PEFT: plainly written
speed         what an evaluation costs
race          the whole way to exact reconstruction
whole         the whole command, from its call to its end
growth        cost and memory against problems, slots, length, batch
scale         how many workers one driver can serve
crowd         workers that only sleep
faults        runs killed and damaged at random moments, and what is lost
trial         a run that something happens to
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
