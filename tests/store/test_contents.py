"""Many contents take few files, whatever moment a kill comes at, and every record finds its own."""

import pytest
import torch
from made_records import identity, manifest, record

from dcm_helpers.errors import InputError
from dcm_helpers.files import write_safely
from dcm_helpers.store import RunFolder


@pytest.fixture(autouse=True)
def small_volumes(monkeypatch):
    monkeypatch.setattr("dcm_helpers.store.contents.VOLUME", 4)


def opened(path):
    return RunFolder.create(path / "run", identity(), manifest(20))


def filled(folder, first, last):
    """Problems from first to last, each content full of its own number."""
    for number in range(first, last + 1):
        folder.append(2, record(f"p{number}", K=8), torch.full((8, 4), float(number)))


def assert_all_are_found(folder, count):
    records = folder.records(2)
    assert [each["problem"] for each in records] == [f"p{number}" for number in range(1, count + 1)]
    for number, each in enumerate(records, start=1):
        assert torch.equal(folder.content(each), torch.full((8, 4), float(number)))


def names(folder):
    return sorted(path.name for path in folder.path.glob("content*"))


def test_full_rows_become_volumes_and_records_stay(tmp_path):
    folder = opened(tmp_path)
    filled(folder, 1, 10)
    assert names(folder) == [
        "content-stage2-00009.safetensors",
        "content-stage2-00010.safetensors",
        "contents-stage2-00001-00004.safetensors",
        "contents-stage2-00005-00008.safetensors",
    ]
    assert_all_are_found(folder, 10)
    folder.close()
    folder = opened(tmp_path)
    filled(folder, 11, 13)
    assert len(names(folder)) == 4 and names(folder)[0] == "content-stage2-00013.safetensors"
    assert_all_are_found(folder, 13)
    folder.close()


@pytest.mark.parametrize("moment", ["before the volume", "after the volume", "after some files"])
def test_a_kill_while_a_volume_is_bound_loses_nothing(tmp_path, monkeypatch, moment):
    folder = opened(tmp_path)
    filled(folder, 1, 4)
    files = {path: path.read_bytes() for path in folder.path.glob("content-*")}
    if moment == "before the volume":

        def full_disk(path, data):
            if "contents-" in path.name:
                raise OSError(28, "No space left on device")
            write_safely(path, data)

        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr("dcm_helpers.store.contents.write_safely", full_disk)
            filled(folder, 5, 5)
    else:
        filled(folder, 5, 5)
        for number, (path, data) in enumerate(files.items()):
            if moment == "after the volume" or number > 1:
                path.write_bytes(data)
    folder.close()
    folder = opened(tmp_path)
    filled(folder, len(folder.records(2)) + 1, 6)
    assert_all_are_found(folder, 6)
    assert len(names(folder)) == 3
    folder.close()


def test_a_file_that_cannot_be_read_stays_and_stops_nothing(tmp_path):
    folder = opened(tmp_path)
    filled(folder, 1, 4)
    torn = folder.path / "content-stage2-00002.safetensors"
    torn.write_bytes(torn.read_bytes()[:-3])
    filled(folder, 5, 5)
    assert torn.exists() and len(names(folder)) == 3
    with pytest.raises(InputError, match=r"00002\.safetensors is damaged"):
        folder.content(folder.records(2)[1])
    assert torch.equal(folder.content(folder.records(2)[2]), torch.full((8, 4), 3.0))
    folder.close()


def test_packing_takes_volumes_in(tmp_path):
    folder = opened(tmp_path)
    filled(folder, 1, 6)
    assert not folder.packed(2)
    folder.pack(2, torch.float32, points=2)
    assert names(folder) == ["contents-stage2.safetensors"] and folder.packed(2)
    assert_all_are_found(folder, 6)
    folder.close()
