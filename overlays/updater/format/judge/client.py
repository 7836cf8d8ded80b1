"""Runs python-tuf's client over scenarios and prints its verdicts as JSON.

A scenario is a trusted root and steps; a step is a folder with metadata/ and targets/, the time, and targets to download.
The folder of the client is kept from step to step. Usage: client.py SCENARIOS.json
"""

import hashlib
import json
import os
import sys
import tempfile
from datetime import datetime, timezone

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

# The bounds of our own client, so that both have the same.
CONFIG = UpdaterConfig(
    root_max_length=128 << 10,
    timestamp_max_length=16 << 10,
    snapshot_max_length=64 << 10,
    targets_max_length=4 << 20,
)
BASE = "repository:/"


class Folder(FetcherInterface):
    """Reads the files of a repository from a folder."""

    def __init__(self, folder):
        self.folder = folder

    def _fetch(self, url):
        path = os.path.join(self.folder, url.removeprefix(BASE))
        try:
            with open(path, "rb") as file:
                while piece := file.read(4096):
                    yield piece
        except OSError as error:
            raise DownloadHTTPError(f"{path}: {error}", 404) from error


class NoSuchTarget(Exception):
    """get_targetinfo knows no such target."""


def run_step(base, kept, root, step):
    """What the client downloads: name → SHA-256."""
    updater = Updater(
        metadata_dir=kept,
        metadata_base_url=f"{BASE}metadata/",
        target_dir=None,
        target_base_url=f"{BASE}targets/",
        fetcher=Folder(os.path.join(base, step["repository"])),
        config=CONFIG,
        bootstrap=root,
    )
    now = datetime.strptime(step["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    updater._trusted_set.reference_time = now
    updater.refresh()
    got = {}
    for name in step["targets"]:
        info = updater.get_targetinfo(name)
        if info is None:
            raise NoSuchTarget(name)
        with tempfile.TemporaryDirectory() as folder:
            path = updater.download_target(info, os.path.join(folder, "target"))
            with open(path, "rb") as file:
                got[name] = hashlib.sha256(file.read()).hexdigest()
    return got


def run(base, scenario):
    """The verdict of each step: what was downloaded, or the error."""
    verdicts = []
    with open(os.path.join(base, scenario["root"]), "rb") as file:
        root = file.read()
    with tempfile.TemporaryDirectory() as kept:
        for step in scenario["steps"]:
            try:
                verdicts.append({"targets": run_step(base, kept, root, step)})
            except (RepositoryError, DownloadError, NoSuchTarget) as error:
                verdicts.append({"error": type(error).__name__, "message": str(error)})
    return verdicts


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as file:
        scenarios = json.load(file)
    base = os.path.dirname(path)
    json.dump({name: run(base, scenario) for name, scenario in scenarios.items()}, sys.stdout)


main()
