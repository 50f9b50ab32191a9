"""Configuration: frozen dataclasses, validated on creation.

Notebooks build them and the command line exposes them, one flag per field; the string below a field is its help text.

names      names, constants and places; DCM_ variables
typed      how a setting is typed
optimizer  how one content is optimized; presets
run        one run
diffuser   how large a Diffuser is, what it reads, how it is trained
targets    which pairs get targets for a Diffuser
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
