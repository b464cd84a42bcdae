"""`python -m config.devserver forget` stops the clone's servers and removes their files outside the clone."""

import os
import shutil
import sys

from config.devserver.embedded_servers import EmbeddedServers
from config.devserver.paths import existing_private_folder
from config.devserver.servers import data_folder

USAGE = "usage: python -m config.devserver stop|forget\n"


def main(arguments: list[str]) -> int:
    if arguments not in (["stop"], ["forget"]):
        sys.stderr.write(USAGE)
        return 2
    folder = data_folder(os.environ)
    for data_dir in (folder, folder / "timelapse", *sorted((folder / "test").glob("run-*"))):
        EmbeddedServers(data_dir).stop()
    private = existing_private_folder()
    if arguments == ["forget"] and private:
        shutil.rmtree(private)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
