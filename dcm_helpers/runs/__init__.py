"""Runs: what is computed in stages, what it amounts to, and reading it back.

begin      what a configuration names, loaded, and its run folder, opened
stages     stages 1, 2 and 3 on a run folder
diagnosis  what a failed gate means
places     where the files that a run names are
records    what is stored of a finished problem
baselines  random, single token, question only, full context
verdicts   convergence, gates, tiers, readings
run        Run: a run read back
tables     records as pandas tables
open       open_run, the door for notebooks
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
