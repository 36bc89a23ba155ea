"""A confined process of low priority that makes images of frames: answering others comes first.

In a process of its own it takes no turns from the threads that answer, and a file that brings a decoder down brings
down nothing else. It reads proxies, which were made of files of strangers, and writes nothing: whoever wanted the
images keeps them. What it says is read as data, never as code.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from app.errors import Busy
from app.sandbox import child
from app.sandbox.confinement import Confinement
from app.videos.frame_child import ERRORS, Failed, Made, Task
from app.videos.images import Format

_POLITE = 10  # of 19

#: The largest image that is taken, in bytes: a frame of the largest size that is let in, as a bitmap.
_MOST_BYTES = 2**28

# A frame takes some tenths of one, also on a machine that does much else.
_SECONDS = 60.0


@dataclass(frozen=True)
class View:
    """A video in the form in which somebody wants its frames.

    Attributes:
        proxy_sha256: The video.
        table_sha256: Its frame table.
        image_format: Kind of image.
        width: Pixels to shrink to, fewer than the frame has, keeping the aspect; None for as it is.
    """

    proxy_sha256: str
    table_sha256: str
    image_format: Format
    width: int | None

    def name(self, index: int) -> str:
        """The name under which the image of a frame is kept."""
        return f"{self.proxy_sha256}-{self.width or 'full'}-{self.image_format}/{index}"


_said = msgspec.msgpack.Decoder(Made | Failed)


class FrameMaker:
    """The process, seen from the one that wants images. It begins with the first task, and anew where it died.

    Args:
        readable: Folders of the files that it will be given.
        open_videos: How many videos stay open while nobody reads them.
        memory_bytes: Address space of the process.
    """

    def __init__(self, readable: tuple[Path, ...], open_videos: int, memory_bytes: int) -> None:
        folders = tuple(str(folder.absolute()) for folder in readable)
        self._confinement = Confinement(memory_bytes, None, readable=folders, niceness=_POLITE)
        self._open_videos = open_videos
        self._connection: Connection | None = None
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> int | None:
        """Number of the process, where there is one."""
        return self._process.pid if self._process else None

    def make(self, task: Task) -> bytes:
        """The image of a frame.

        Raises:
            VideoError: The file is none that can be read, or not the one that the table is of.
            FileNotFoundError: A file is not there.
            Busy: The process ended over it, or says nothing for a minute.
        """
        connection = self._connection or self._begin()
        try:
            connection.send_bytes(msgspec.msgpack.encode(task))
            if not connection.poll(_SECONDS):
                raise OSError("nothing was said")
            said: Made | Failed = _said.decode(connection.recv_bytes(_MOST_BYTES))
        except (EOFError, OSError, msgspec.MsgspecError) as error:
            self.close()
            raise Busy("the process that decodes this video ended over it; ask again") from error
        if isinstance(said, Failed):
            raise ERRORS.get(said.kind, RuntimeError)(said.sentence)
        if said.index != task.index:
            self.close()
            raise Busy("the process that decodes this video made a frame that nobody wanted; ask again")
        return said.image

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _begin(self) -> Connection:
        self._connection, other = Pipe()
        with other:
            task = {"descriptor": other.fileno(), "open_videos": self._open_videos}
            self._process = child.start(
                "app.videos.frame_child", task, self._confinement, stdout=None, pass_fds=(other.fileno(),)
            )
        return self._connection
