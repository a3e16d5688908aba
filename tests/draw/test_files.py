"""Saving: whole or not at all, the formats by suffix, and what happens without a renderer."""

import errno
import os
import stat
import sys
import time

import pytest

from tinygrad_rnn import draw
from tinygrad_rnn.bptt.flow import gradient_flow
from tinygrad_rnn.draw import render
from tinygrad_rnn.errors import InputError

from . import graphs


@pytest.fixture
def picture():
    return draw.unrolled(graphs.power(3))


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [
        (".svg", b"<svg"),
        (".dot", b"digraph"),
        (".gv", b"digraph"),
        (".html", b"<!doctype html>"),
        (".json", b'{"format": "tinygrad_rnn drawing"'),
        (".txt", "       ╭┄┄".encode()),
        (".SVG", b"<svg"),
    ],
)
def test_the_suffix_says_how(picture, tmp_path, suffix, begins):
    path = picture.save(tmp_path / f"picture{suffix}")
    assert path.read_bytes().startswith(begins)
    assert os.listdir(tmp_path) == [f"picture{suffix}"]


def test_another_suffix_is_refused(picture, tmp_path):
    with pytest.raises(InputError, match=r"\.svg, \.dot"):
        picture.save(tmp_path / "picture.jpeg")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("place", ["absent/picture.svg", "file/picture.svg", "folder.svg"])
def test_where_nothing_can_be_written_there_is_one_clear_error(picture, tmp_path, place):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder.svg").mkdir()
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(InputError, match="cannot write"):
        picture.save(tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", ["x\0.svg", "\ud800.svg", "a" * 300 + ".svg"])
def test_a_name_that_no_file_can_have_is_refused(picture, tmp_path, name):
    with pytest.raises(InputError, match="cannot write"):
        picture.save(f"{tmp_path}/{name}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [3, None, ["x.svg"]])
@pytest.mark.parametrize("kind", ["picture", "player"])
def test_what_is_no_name_is_refused(picture, path, kind):
    shown = picture if kind == "picture" else draw.player(gradient_flow(graphs.power(2)))
    with pytest.raises(InputError, match="expected the name of a file, got"):
        shown.save(path)


def test_a_name_in_bytes_is_a_name(picture, tmp_path):
    assert picture.save(os.fsencode(tmp_path / "x.svg")) == tmp_path / "x.svg"


def test_a_failure_half_way_leaves_the_old_file(picture, tmp_path, monkeypatch):
    path = tmp_path / "picture.svg"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        picture.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["picture.svg"]


@pytest.mark.parametrize("kind", ["ENOSPC", "EFBIG", "EDQUOT"])
def test_where_there_is_no_room_the_error_says_how_much_is_needed(picture, tmp_path, monkeypatch,
                                                                 kind):
    """The folder is there, and may be written to."""
    def full(*_):
        raise OSError(getattr(errno, kind), "no room")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"no room. The file has .* make room, or") as seen:
        picture.save(tmp_path / "picture.svg")
    assert "folder" not in str(seen.value)
    assert f"{len(picture.svg().encode()):,} bytes" in str(seen.value)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_is_as_readable_as_any_new_file(picture, tmp_path):
    (tmp_path / "plain").touch()
    path = picture.save(tmp_path / "picture.svg")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_without_a_renderer_the_dot_is_written_and_the_ways_out_are_named(
    picture, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(tmp_path))
    for kind in ("png", "pdf"):
        with pytest.raises(
            render.RenderError, match=r"Three ways out: install Graphviz.*\.svg or \.html"
        ):
            picture.save(tmp_path / f"picture.{kind}")
    assert os.listdir(tmp_path) == ["picture.dot"]
    assert (tmp_path / "picture.dot").read_text(encoding="utf-8") == picture.dot()


def fake(folder, monkeypatch, body):
    """A program called neato that does what a test needs."""
    path = folder / "bin"
    path.mkdir()
    (path / "neato").write_text(f"#!{sys.executable}\n{body}")
    (path / "neato").chmod(0o755)
    monkeypatch.setenv("PATH", str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="a script with a #! line")
def test_a_renderer_that_hangs_is_stopped(picture, tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(render, "LIMIT", 0.3)
    with pytest.raises(render.RenderError, match="was stopped"):
        picture.save(tmp_path / "picture.png")


@pytest.mark.skipif(sys.platform == "win32", reason="a script with a #! line")
def test_a_renderer_that_fails_is_quoted(picture, tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "import sys; sys.exit('no such format')")
    with pytest.raises(render.RenderError, match="no such format"):
        picture.save(tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_real_graphviz_draws_it(require, tmp_path, suffix, begins):
    require("dot")
    picture = draw.gradient_flow(gradient_flow(graphs.scalar_rnn()))
    assert picture.save(tmp_path / f"flow{suffix}").read_bytes().startswith(begins)


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_plain_dot_puts_every_box_where_we_put_it(require, name):
    """`dot -Tplain` says where things are: exactly where the drawing has them, up to one shift."""
    import subprocess

    dot = require("dot")
    root = graphs.GRAPHS[name]()
    for picture in (draw.unrolled(root), draw.gradient_flow(gradient_flow(root))):
        done = subprocess.run(
            [dot, "-Tplain"],
            input=picture.dot().encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        placed = {}
        for line in done.stdout.decode().replace("\\\n", "").splitlines():
            words = line.split()
            if words[:1] == ["node"]:
                placed[words[1].strip('"')] = (float(words[2]) * 72, float(words[3]) * 72)
        boxes = [*picture.drawing.boxes, *picture.drawing.frames]
        shifts = {(round(placed[b.id][0] - b.x), round(placed[b.id][1] + b.y)) for b in boxes}
        xs, ys = zip(*shifts)
        assert max(xs) - min(xs) <= 1
        assert max(ys) - min(ys) <= 1


def test_a_graphviz_source_of_the_same_text(picture):
    pytest.importorskip("graphviz")
    source = picture.to_graphviz()
    assert source.source.strip() == picture.dot().strip()


@pytest.mark.parametrize("view", ["cell-level", "layer-level", "rolled", "truncated"])
def test_more_views_on_the_command_line(view, tmp_path):
    from tinygrad_rnn.cli.draw import draw as drawn

    path = tmp_path / "view.svg"
    assert drawn("many-to-many", view, str(path), steps=3) == f"wrote {path}\n"
    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert drawn("many-to-many", view, steps=3).strip()


def test_the_player_on_the_command_line(tmp_path):
    from tinygrad_rnn.cli.draw import draw as drawn

    path = tmp_path / "view.html"
    assert drawn("lstm", "player", str(path), steps=2) == f"wrote {path}\n"
    assert 'id="film"' in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="a page, and cannot be printed"):
        drawn("lstm", "player")
    with pytest.raises(InputError, match="to be cut into windows"):
        drawn("stacked", "truncated")


@pytest.mark.skipif(sys.platform == "win32", reason="a script with a #! line")
def test_what_a_renderer_has_started_is_stopped_too(picture, tmp_path, monkeypatch):
    alive, old = tmp_path / "alive", tmp_path / "picture.png"
    child = f"import pathlib, time; time.sleep(2); pathlib.Path({str(alive)!r}).touch()"
    fake(tmp_path, monkeypatch, "import subprocess, sys\n"
                                f"subprocess.run([sys.executable, '-c', {child!r}])")
    monkeypatch.setattr(render, "LIMIT", 0.8)
    old.write_bytes(b"old")
    begin = time.monotonic()
    with pytest.raises(render.RenderError, match="was stopped"):
        picture.save(old)
    assert old.read_bytes() == b"old"
    assert (tmp_path / "picture.dot").exists()
    time.sleep(max(0.0, begin + 4 - time.monotonic()))
    assert not alive.exists()
