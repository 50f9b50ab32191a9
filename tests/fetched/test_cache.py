"""The cache: what is kept is believed only as it was kept."""

from pathlib import Path

import pytest

from dcm_helpers.config import parameter
from dcm_helpers.fetched.cache import HASHES, kept


def made(folder):
    """What is kept in these tests."""
    (folder / "out").mkdir()
    (folder / "out" / "a.txt").write_text("right")
    (folder / "out" / "b.txt").write_text("right, too")
    return folder / "out"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: [path.unlink() for path in folder.iterdir()],
        lambda folder: (folder / "b.txt").unlink(),
        lambda folder: (folder / "b.txt").write_text("another's"),
        lambda folder: (folder / HASHES).write_text("[]"),
        lambda folder: (folder / HASHES).unlink(),
    ],
    ids=["empty", "half", "changed", "odd hashes", "no hashes"],
)
def test_what_is_kept_is_believed_only_as_it_was_kept(tmp_path, harm, capsys):
    folder = tmp_path / "generators" / "one"
    made_anew = []

    def make(place):
        made_anew.append(place)
        return made(place)

    assert kept(folder, "Making it.", make) == folder and kept(folder, "Making it.", make) == folder
    assert len(made_anew) == 1
    harm(folder)
    capsys.readouterr()
    assert (kept(folder, "Making it.", make) / "b.txt").read_text() == "right, too" and len(made_anew) == 2
    assert "is not as it was kept" in capsys.readouterr().err


def test_what_a_kill_left_while_it_was_made_is_swept(tmp_path):
    left = tmp_path / "generators" / "one.making"
    (left / "out").mkdir(parents=True)
    kept(tmp_path / "generators" / "one", "Making it.", made)
    assert sorted(path.name for path in (tmp_path / "generators").iterdir() if path.is_dir()) == ["one"]


def test_a_cache_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("DCM_CACHE", "~/somewhere")
    assert parameter("cache", Path("elsewhere")) == Path.home() / "somewhere"
