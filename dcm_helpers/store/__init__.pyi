from .folder import MANIFEST as MANIFEST
from .folder import STAGES as STAGES
from .folder import SUMMARY as SUMMARY
from .folder import FolderInUse as FolderInUse
from .folder import RunFolder as RunFolder
from .folder import packed_file as packed_file
from .identity import differing as differing
from .schema import Loss as Loss
