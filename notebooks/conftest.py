"""Notebooks run as tests on the tiny Generator; nbval has no fixtures, so the parameters travel by environment."""

import os

os.environ.setdefault("DCM_MODEL", "tiny")
os.environ.setdefault("DCM_NUM_EXAMPLES", "4")
