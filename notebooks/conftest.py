"""Notebooks run as tests on the tiny Generator; nbval has no fixtures, so the parameters travel by environment."""

import atexit
import os
import shutil
import tempfile

collect_ignore_glob = ["gallery/*"]  # executed already, and never to be executed from there

results = tempfile.mkdtemp(prefix="dcm-notebooks-")
atexit.register(shutil.rmtree, results, ignore_errors=True)

os.environ.setdefault("DCM_MODEL", "tiny")
os.environ.setdefault("DCM_NUM_EXAMPLES", "6")
os.environ.setdefault("DCM_NUM_PAIRS", "4")
os.environ.setdefault("DCM_NUM_LIVE", "2")
os.environ.setdefault("DCM_NUM_STEPS", "40")
os.environ.setdefault("DCM_POINTS", "9")
os.environ.setdefault("DCM_RESULTS", results)
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling UMAP would take longer than six points do without
