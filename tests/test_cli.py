"""The command line: what it prints, how it ends, and that nothing half-written stays behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinygrad_rnn import __version__
from tinygrad_rnn.cli import folder as folders
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.commands import COMMANDS
from tinygrad_rnn.cli.folder import COMMENTS, Folder, hold
from tinygrad_rnn.cli.main import parser
from tinygrad_rnn.errors import InputError

OLD = "old\n" + COMMENTS[".html"]


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "tinygrad_rnn", *arguments], capture_output=True,
                          text=True, encoding="utf-8", timeout=120, check=False, **options)


def one_line(capsys):
    """What went to stderr: a single line, without a traceback."""
    _, err = capsys.readouterr()
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert len(err) < 400
    return err


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_names_every_command(capsys):
    assert main([]) == 0
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for row in COMMANDS:
        assert row.name in out


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_help_says_what_each_option_does(row, capsys):
    assert main([row.name, "--help"]) == 0
    out = capsys.readouterr().out
    for option in (*row.options, *row.alternatives):
        assert option.flag in out


@pytest.mark.parametrize(("arguments", "words"), [
    (["paint"], "invalid choice: 'paint'"),
    (["demo", "--seed", "x"], "expected a whole number of at least 0, got 'x'"),
    (["demo", "--seed", "-1"], "expected a whole number of at least 0, got '-1'"),
    (["demo", "--text", "ab", "--file", "x"], "not allowed with argument --text"),
    (["demo", "--colour"], "--colour"),
    (["demo", "--out"], "expected one argument"),
])
def test_arguments_that_cannot_be(place, arguments, words, capsys):
    assert main(arguments) == 2
    assert words in one_line(capsys)
    assert list(place.iterdir()) == []


def files(place):
    """Inputs that cannot be used, by name."""
    (place / "empty.txt").write_bytes(b"")
    (place / "one.txt").write_bytes(b"a")
    (place / "same.txt").write_bytes(b"aaaa")
    (place / "binary.bin").write_bytes(bytes(range(256)))
    (place / "latin.txt").write_bytes("où êtes-vous".encode("latin-1"))
    (place / "folder").mkdir()
    (place / "file").write_text("a file")
    return sorted(p.name for p in place.iterdir())


@pytest.mark.parametrize(("arguments", "words"), [
    (["--file", "missing.txt"], "missing.txt: there is no such file"),
    (["--file", "folder"], "folder: is a folder"),
    (["--file", "empty.txt"], "empty.txt: is empty"),
    (["--file", "one.txt"], "one.txt: has only one character"),
    (["--file", "same.txt"], "same.txt: has only the character 'a'"),
    (["--file", "binary.bin"], "binary.bin: is not a UTF-8 text"),
    (["--file", "latin.txt"], "latin.txt: is not a UTF-8 text"),
    (["--file", "file/below.txt"], "file/below.txt: cannot be read"),
    (["--file", ""], "'': there is no such file"),
    (["--text", ""], "--text: is empty"),
    (["--text", "a"], "--text: has only one character"),
    (["--text", "\ud800a"], "--text: is not valid Unicode"),
    (["--out", "file"], "--out file: cannot write there: it is a file"),
    (["--out", "file/below"], "--out file/below: cannot write there"),
    (["--out", ""], "--out"),
    (["--out", "nul\0inside"], "cannot write there"),
])
def test_bad_input_gets_one_line(place, arguments, words, capsys):
    before = files(place)
    assert main(["demo", *arguments]) == 2
    assert words in one_line(capsys)
    assert sorted(p.name for p in place.iterdir()) == before


def test_names_with_line_ends_stay_on_one_line(place, capsys):
    assert main(["demo", "--file", "no\nsuch\x1b[31mfile"]) == 2
    err = one_line(capsys)
    assert "\x1b" not in err


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder nobody can write to")
def test_an_unwritable_folder(place, capsys):
    assert main(["demo", "--out", "/proc/tinygrad_rnn_demo"]) == 2
    assert "cannot write there" in one_line(capsys)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_permission(place, capsys):
    (place / "locked").mkdir(mode=0o500)
    assert main(["demo", "--out", "locked/below"]) == 2
    assert "cannot write there: permission denied" in one_line(capsys)


def test_ops_prints_the_table(capsys):
    assert main(["ops"]) == 0
    out = capsys.readouterr().out
    for name in ("tanh", "linear", "softmax", "logsumexp"):
        assert name in out


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"tinygrad-rnn {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["ops"], ["demo"], ["--help"], []])
def test_a_reader_that_stops(place, arguments):
    """`tinygrad-rnn ops | head -1` ends quietly."""
    process = subprocess.Popen([sys.executable, "-m", "tinygrad_rnn", *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in ({141} if arguments in (["ops"], ["demo"]) else {0, 141})
    assert err == b""
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("arguments", [["ops"], ["demo"]])
def test_an_output_that_is_full(place, arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "tinygrad_rnn", *arguments], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 74
    assert done.stderr == ("tinygrad-rnn: the output cannot be written: No space left on device\n")
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="no such redirection")
def test_no_output_at_all(place):
    command = f"'{sys.executable}' -m tinygrad_rnn ops >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_that_knows_only_ascii(place):
    done = run("demo", "--text", "éa", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "'?a': 2 characters" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "word"), [
    ("SIGINT", "interrupted"), ("SIGTERM", "terminated"), ("SIGHUP", "terminated")])
def test_a_signal_is_one_line_and_leaves_nothing(place, number, word):
    """The demo prints into a pipe that is full, so that it surely is at work when told to stop."""
    number = getattr(signal, number)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    process = subprocess.Popen([sys.executable, "-m", "tinygrad_rnn", "demo", "--out", "a/b"],
                               stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    deadline = time.monotonic() + 60
    while not list(place.rglob(".tinygrad_rnn-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    os.close(reader)
    assert process.returncode == 128 + number
    assert err.decode().splitlines() == [f"tinygrad-rnn: {word}"]
    assert list(place.iterdir()) == []


def test_the_parser_is_the_table():
    for row in COMMANDS:
        needed = ["scalar" for option in row.options if not option.flag.startswith("-")]
        assert parser().parse_args([row.name, *needed]).run is row.run


# --- the folder of results ------------------------------------------------------------------------


def test_files_appear_together(place):
    with Folder("a/b/out", ("x.html",)) as folder:
        folder.write("x.html", "one")
        assert not (place / "a/b/out/x.html").exists()
    assert (place / "a/b/out/x.html").read_text() == "one\n" + COMMENTS[".html"]
    assert sorted(p.name for p in place.rglob("*")) == ["a", "b", "out", "x.html"]


def write_and_fail(out, problem):
    """Write a file into a folder, and then run into a problem."""
    with Folder(out, ("x.html",)) as folder:
        folder.write("x.html", "new")
        raise problem


def test_after_a_failure_nothing_is_left(place):
    with pytest.raises(ZeroDivisionError):
        write_and_fail("a/b/out", ZeroDivisionError())
    assert list(place.iterdir()) == []


def test_after_a_failure_the_old_files_stay(place):
    (place / "out").mkdir()
    (place / "out/x.html").write_text(OLD)
    (place / "out/mine.txt").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        write_and_fail("out", KeyboardInterrupt())
    assert (place / "out/x.html").read_text() == OLD
    assert sorted(p.name for p in (place / "out").iterdir()) == ["mine.txt", "x.html"]
    with Folder("out", ("x.html",)) as folder:
        folder.write("x.html", "new")
    assert (place / "out/x.html").read_text() == "new\n" + COMMENTS[".html"]
    assert (place / "out/mine.txt").read_text() == "mine"


def there(text):
    """A file where the result would go."""
    Path("out").mkdir()
    Path("out/x.html").write_text(text)
    return Path("out/x.html")


@pytest.mark.parametrize("prepare", [
    lambda: Path("out").write_text("a file"),
    lambda: Path("out/x.html").mkdir(parents=True),
    lambda: Path("out").symlink_to("nowhere"),
    lambda: there("somebody's own page"),
    lambda: there(""),
    lambda: there(COMMENTS[".html"] + "continued by somebody"),
    lambda: there(OLD).chmod(0o444),
    lambda: there(OLD).rename("out/mine").parent.joinpath("x.html").symlink_to("mine"),
    lambda: there(OLD).unlink() or Path("out/x.html").symlink_to("nowhere"),
])
def test_places_that_are_taken(place, prepare):
    prepare()
    before = sorted(place.rglob("*"))
    with pytest.raises(InputError, match="cannot write there"), Folder("out", ("x.html",)):
        pytest.fail("must refuse before anything is done")
    assert sorted(place.rglob("*")) == before


def test_a_full_disk(place, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="no space left on device"):
        write_and_fail("a/b/out", None)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["index.html", "unrolled.svg", "gradient_flow.dot"])
def test_the_demo_never_replaces_somebody_s_own_file(place, name, capsys):
    (place / "out").mkdir()
    (place / "out" / name).write_text("mine")
    assert main(["demo", "--out", "out"]) == 2
    assert f"{name} is there and is not from an earlier demo" in one_line(capsys)
    assert [p.read_text() for p in (place / "out").iterdir()] == ["mine"]


def come_in_between(out):
    """Somebody writes a file of that name while the demo runs."""
    with Folder(out, ("x.html",)) as folder:
        folder.write("x.html", "new")
        Path(out, "x.html").write_text("mine")


def test_a_file_that_comes_while_it_runs_stays(place):
    with pytest.raises(InputError, match="is not from an earlier demo"):
        come_in_between("out")
    assert [p.read_text() for p in (place / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("where", ["mkdir", "hold"])
def test_an_interrupt_while_the_folder_is_made(place, monkeypatch, where):
    """It comes after the hidden folder is there and before `with` knows of it."""
    owner = Path if where == "mkdir" else folders
    real = getattr(owner, where)

    def interrupted(path, *arguments, **options):
        real(path, *arguments, **options)
        if path.name.startswith(".tinygrad_rnn-"):
            raise KeyboardInterrupt

    monkeypatch.setattr(owner, where, interrupted)
    with pytest.raises(KeyboardInterrupt), Folder("a/b", ("x.html",)):
        pytest.fail("was interrupted before")
    assert list(place.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="no locks on folders")
def test_what_a_kill_left_is_swept_and_nothing_else(place):
    for name in ("orphan", "alive", "notes"):
        (place / f"out/.tinygrad_rnn-{name}").mkdir(parents=True)
        (place / f"out/.tinygrad_rnn-{name}/x.html").write_text("half")
    (place / "out/.tinygrad_rnn-notes/mine.txt").write_text("mine")
    lock = hold(place / "out/.tinygrad_rnn-alive")
    try:
        with Folder("out", ("x.html",)) as folder:
            folder.write("x.html", "new")
    finally:
        os.close(lock)
    assert sorted(str(p.relative_to(place / "out")) for p in (place / "out").rglob("*")) == [
        ".tinygrad_rnn-alive", ".tinygrad_rnn-alive/x.html", ".tinygrad_rnn-notes",
        ".tinygrad_rnn-notes/mine.txt", "x.html"]


def test_two_at_once_do_not_disturb_each_other(place):
    with Folder("out", ("x.html",)) as first:
        first.write("x.html", "first")
        with Folder("out", ("x.html",)) as second:
            second.write("x.html", "second")
    assert [p.read_text().split()[0] for p in (place / "out").iterdir()] == ["first"]
