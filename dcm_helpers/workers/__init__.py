"""Contents found by several devices and hosts: who works, what is said, who gets what.

places    host:device:weight, as it is typed
messages  what a driver and a worker say to each other, versioned, as JSON
protocol  jobs and results as messages, and back
worker    one Generator that does jobs: the same code in an actor, behind a pipe, or in a Slurm task
share     who gets which problems, and what becomes of those of a worker that died
crew      what a solver knows of workers, on whatever engine
fleet     actors on an engine (Ray)
solver    a fleet as a solver: problems out, results in, deaths borne
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
