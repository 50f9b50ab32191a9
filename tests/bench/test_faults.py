"""A small version of the campaign: a distributed run is killed, what it stored is damaged, and it is gone on with."""

import random
import sys
import time

import pytest

from dcm_helpers.bench.faults import FAULTS, struck
from dcm_helpers.bench.trial import PAIRS, Trial
from dcm_helpers.store import RunFolder


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as Linux shows them")
def test_a_killed_and_damaged_run_becomes_whole_again(tmp_path):
    pytest.importorskip("ray", reason="Ray is part of the distributed extra")
    trial = Trial(tmp_path, random.Random(3), longest=0)
    trial.start(workers=True)
    stored, until = trial.run / "stage2.jsonl", time.monotonic() + 120
    while not (stored.exists() and stored.read_bytes().count(b"\n") >= 2):
        assert trial.process.poll() is None and time.monotonic() < until, "it ended, or stored nothing"
        time.sleep(0.05)
    trial.workers = False  # it is gone on with by one process
    found = struck(FAULTS["content cut"], trial)
    assert not any(found.values()), found
    assert len(RunFolder.read(trial.run).records(2)) == PAIRS
