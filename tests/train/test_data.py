"""Texts: reading files, vocabularies, windows, and one line for all that cannot be read."""

import os

import numpy as np
import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.train import Text, read_text


def test_vocabulary_and_numbers():
    text = Text("hello")
    assert text.vocabulary == ["e", "h", "l", "o"]
    assert (len(text), text.size) == (5, 4)
    assert text.encode("hole").tolist() == [1, 3, 2, 0]
    assert text.decode(text.encode("hole")) == "hole"
    np.testing.assert_array_equal(text.one_hot("he"), [[0, 1, 0, 0], [1, 0, 0, 0]])
    with pytest.raises(InputError, match="'x' is not in the vocabulary"):
        text.encode("hex")


@pytest.mark.parametrize(("n", "k", "expected"), [
    (5, 25, [("abcd", "bcde")]),
    (5, 4, [("abcd", "bcde")]),
    (5, 2, [("ab", "bc"), ("cd", "de")]),
    (6, 2, [("ab", "bc"), ("cd", "de"), ("e", "f")]),
    (2, 1, [("a", "b")]),
])
def test_windows(n, k, expected):
    assert list(Text("abcdef"[:n]).windows(k)) == expected


def test_windows_cover_every_step_once():
    text = Text("".join(chr(97 + i % 26) for i in range(1000)))
    pairs = list(text.windows(25))
    assert "".join(read for read, _ in pairs) == text.text[:-1]
    assert "".join(following for _, following in pairs) == text.text[1:]
    assert max(len(read) for read, _ in pairs) == 25


@pytest.mark.parametrize(("text", "words"), [
    ("", "is empty"), ("a", "only one character"), ("aaaa", "only the character 'a'"),
    ("a\udce9b", "not valid Unicode")])
def test_texts_that_cannot_be_learned(text, words):
    with pytest.raises(InputError, match=words) as problem:
        Text(text, "--text")
    assert str(problem.value).startswith("--text: ")


@pytest.mark.parametrize(("raw", "expected"), [
    ("Où êtes-vous ? 😀\n".encode(), "Où êtes-vous ? 😀\n"),
    (b"\xef\xbb\xbfmarked", "marked"),
    (b"a\r\nb\rc\n", "a\nb\nc\n"),
])
def test_files(tmp_path, raw, expected):
    file = tmp_path / "file.txt"
    file.write_bytes(raw)
    assert read_text(file).text == expected


def test_a_big_file_is_read_in_part(tmp_path):
    file = tmp_path / "big.txt"
    file.write_text("aé" * 500, encoding="utf-8")
    assert read_text(file, limit=99).text == ("aé" * 50)[:99]
    file.write_text("😀é" * 500, encoding="utf-8")  # the limit in bytes falls inside a character
    for limit in range(2, 12):
        assert read_text(file, limit=limit).text == ("😀é" * 6)[:limit]


@pytest.mark.parametrize(("raw", "words"), [
    (b"", "is empty"),
    (b"\x89PNG\r\n\x1a\n\0\0", "not a UTF-8 text"),
    (b"caf\xe9 au lait", r"not a UTF-8 text \(byte 3\)"),
    ("caf\xe9".encode("utf-16"), "not a UTF-8 text"),
    (b"nul\0bytes", "NUL"),
    (b"cut \xe2\x82", "not a UTF-8 text"),
    (b"x", "only one character"),
])
def test_files_that_are_no_text(tmp_path, raw, words):
    file = tmp_path / "file.bin"
    file.write_bytes(raw)
    with pytest.raises(InputError, match=words) as problem:
        read_text(file)
    assert str(file) in str(problem.value)
    assert "\n" not in str(problem.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_text("nul\0inside")
    with pytest.raises(InputError, match="cannot be read"):
        read_text("x" * 5000)
    (tmp_path / "file").write_text("ab")
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path / "file" / "below")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission(tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text("ab")
    file.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_text(file)
