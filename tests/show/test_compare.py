"""Several runs side by side: what is told once, what has a column, and what must not break it."""

import json
import shutil

import pytest
from earlier import as_earlier_versions_wrote

from dcm_helpers import analyze_results
from dcm_helpers.show import comparison
from dcm_helpers.store import RunFolder


@pytest.fixture
def variant(example, tmp_path):
    """Makes a copy of the example run that looks as if it had been made otherwise."""

    def make(name, optimizer=(), generator=(), without=()):
        path = tmp_path / name
        shutil.copytree(example.folder.path, path, ignore=shutil.ignore_patterns(".lock"))
        manifest = json.loads((path / "run.json").read_text())
        manifest["identity"]["optimizer"].update(optimizer)
        manifest["identity"]["generator"].update(generator)
        (path / "run.json").write_text(json.dumps(manifest))
        for stage in without:
            (path / f"stage{stage}.jsonl").unlink()
        return RunFolder(path)

    return make


def test_equal_settings_stand_above_and_different_ones_have_columns(variant):
    text = comparison([variant("one"), variant("two", {"K": 4, "weighting": "view"})], 400)
    above, table, _ = text.split("\n\n")
    assert "Generator tiny" in above and "pairs 6 from pairs (shipped)" in above and "seed 0" in above
    assert "K 8" not in above and "layers" not in above and "beta2" not in above, "defaults go without saying"
    *_, head, one, two = table.splitlines()
    figures = ["reconstructed", "reconstructed", "exact", "converged", "pass", "tier"]
    assert head.split() == ["K", "weighting", *figures, "run"]
    assert one.split()[:2] == ["8", "token"] and two.split()[:2] == ["4", "view"]
    assert one.endswith("  one") and two.endswith("  two")
    assert "layers shuffled" in comparison([variant("a", generator={"layers": "shuffled"})], 400)


def test_columns_of_only_dashes_are_left_out(variant):
    only_stage1 = variant("stage1", without=(2, 3))
    text = comparison([only_stage1, only_stage1], 400)
    assert "stage 1" in text and "converged" not in text and "tier" not in text and "pass" not in text
    nothing = variant("nothing", without=(1, 2, 3))
    assert "nothing\n" in comparison([nothing, nothing], 80)
    text = comparison([only_stage1, variant("all")], 400)
    assert "converged" in text and " -  " in text


def test_the_median_is_of_steps_to_exact(variant):
    folder = variant("one")
    lines = (folder.path / "stage2.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "steps": 9000, "steps_to_exact": 7000 + index} for index, line in enumerate(lines)]
    (folder.path / "stage2.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = comparison([folder, folder], 400)
    assert "7002.5" in text and "9000" not in text


@pytest.mark.parametrize("width", [80, 100, 400])
def test_twenty_runs_fit_the_terminal(variant, width):
    name = "smollm2-135m-pairs-n10-K{}-lr0.03-confident-seed0-abc123"
    folders = [variant(name.format(K), {"K": K, "lr": 0.125, "seed": K}) for K in range(1, 21)]
    text = comparison(folders, width)
    assert max(map(len, text.split("\n\n")[1].splitlines())) <= width
    assert len(text.splitlines()) < (32 if width == 400 else 52)
    assert all(name.format(K) in text for K in range(1, 21)), "names are told whole, to be typed again"


def test_names_and_texts_of_a_run_are_data(variant):
    folder = variant("two\nlines \x1b[31m{red} [bold]")
    text = comparison([folder, variant("plain")], 400)
    assert "\x1b" not in text and "two\\nlines \\x1b[31m{red} [bold]" in text


def test_runs_that_are_old_unfinished_or_damaged(variant, tmp_path, capsys):
    variant("whole")
    as_earlier_versions_wrote(variant("earlier").path)
    unfinished = variant("unfinished", without=(3,)).path / "stage2.jsonl"
    unfinished.write_text("".join(unfinished.read_text().splitlines(keepends=True)[:2]))
    (variant("other-summary").path / "summary.json").write_text('{"diagnosis": {"2": {"verdict": "?"}}}')
    variant("no-records", without=(1, 2, 3))
    (variant("damaged").path / "run.json").write_text("{")
    (variant("foreign").path / "run.json").write_text('{"data": {"pairs": 3}}')
    assert analyze_results.main(["--output-dir", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    rows = {line.split()[-1]: line.split() for line in out.splitlines() if line}
    assert {"whole", "earlier", "unfinished", "other-summary", "no-records"} <= rows.keys()
    assert rows["earlier"][:-1] == rows["whole"][:-1]
    assert rows["unfinished"][0] == "4", "of six pairs two have ended"
    assert err.count("left out: ") == 2 and "damaged" in err and "identity: Field required" in err
    assert analyze_results.main(["foreign", "--output-dir", str(tmp_path)]) == 2
    for name in ("unfinished", "other-summary", "no-records", "earlier"):
        assert analyze_results.main([name, "--output-dir", str(tmp_path)]) == 0
