from .facts import make_fact as make_fact
from .load import SOURCES as SOURCES
from .load import Dataset as Dataset
from .load import load_pairs as load_pairs
from .pair import Pair as Pair
