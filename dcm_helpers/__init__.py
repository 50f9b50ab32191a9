"""Dynamic Context Memory: find, look at and compare contents that a frozen language model reads.

    import dcm_helpers as dcm

    run = dcm.open_run()                              # a run; see dcm.Run
    dcm.look.pairwise(run.contents)                   # each room by its name
    dcm.show.matrix(...)

Rooms, each importing only from those before it: `config`, `generator`, `pairs`, `stm`, `watch`, `objective`,
`optimize`, `workers`, `store`, `runs`, `look`, `inquiry`, `solutions`, `controls`, `remedies`, `study`, `bench`,
`show`, `explore`, `pages`. A room is loaded when something of it is used, so that this import takes no time.
"""

import sys

import lazy_loader

if sys.argv[:1] == ["-m"]:  # Python is about to run one of the command lines
    from dcm_helpers.shell import end_quietly

    end_quietly()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
