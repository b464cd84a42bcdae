"""`python -m config.devserver forget` stops the clone's servers and removes what they keep outside the clone."""

import os
import shutil
import sys

from config.devserver.cluster import Cluster
from config.devserver.paths import existing_private_folder
from config.devserver.servers import data_folder

USAGE = "usage: python -m config.devserver stop|forget\n"


def main(arguments: list[str]) -> int:
    if arguments not in (["stop"], ["forget"]):
        sys.stderr.write(USAGE)
        return 2
    folder = data_folder(os.environ)
    for cluster in (folder, folder / "timelapse", *sorted((folder / "test").glob("run-*"))):
        Cluster(cluster).stop()
    private = existing_private_folder()
    if arguments == ["forget"] and private:
        shutil.rmtree(private)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
