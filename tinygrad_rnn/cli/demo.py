"""`demo`: the first journey from end to end, told on the terminal and written into a folder."""

from __future__ import annotations

from .folder import Folder
from .page import page
from .story import begin
from .terminal import Screen, tell_beginning, tell_end, tell_files

FILES = ("index.html", "unrolled.svg", "unrolled.dot", "gradient_flow.svg", "gradient_flow.dot")


def demo(text: str | None = None, file: str | None = None, out: str = "tinygrad_rnn_demo",
         seed: int = 0) -> None:
    """Run the demo on `text` ('hello' by default) or on a file; write drawings and a page into
    `out`.

    Raises `InputError` for a text, file or folder that cannot be used; then nothing is written.
    """
    from ..train import Text, read_text

    if file is not None:
        source = read_text(file)
    else:
        source = Text("hello" if text is None else text, "--text")
    screen = Screen()
    with Folder(out, FILES) as folder:
        story = begin(source, seed)
        tell_beginning(screen, story)
        story.learn(screen.progress)
        tell_end(screen, story)
        for name, drawing in story.drawings.items():
            folder.write(f"{name}.svg", drawing.svg())
            folder.write(f"{name}.dot", drawing.dot())
        folder.write("index.html", page(story))
    tell_files(screen, out)
