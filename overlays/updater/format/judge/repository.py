"""A repository made with python-tuf's Metadata API, with a hook at every place where an attacker could be."""

import json
import os
from datetime import datetime, timedelta, timezone

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    MetaFile,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
ROLES = ("root", "timestamp", "snapshot", "targets")
TARGET = "a/b.txt"


def days(number):
    """A time so many days from now."""
    return NOW + number * DAY


def resign(data, signers):
    """The file's signed part as a dict was changed: signatures anew. python-tuf's own classes would refuse the change."""
    from securesystemslib.formats import encode_canonical

    message = encode_canonical(data["signed"]).encode()
    data["signatures"] = []
    for signer in signers:
        signature = signer.sign(message)
        data["signatures"].append({"keyid": signature.keyid, "sig": signature.signature})
    return json.dumps(data).encode()


class Repository:
    """Its files, and the keys and versions with which the next ones are made."""

    def __init__(self, keys=None, thresholds=None, compact=False):
        self.serializer = JSONSerializer(compact=compact)
        self.files = {}
        self.versions = dict.fromkeys(ROLES, 0)
        self.expires = dict.fromkeys(ROLES, days(30))
        self.thresholds = dict.fromkeys(ROLES, 1) | (thresholds or {})
        self.signers = {
            role: [CryptoSigner.generate_ed25519() for _ in range((keys or {}).get(role, 1))] for role in ROLES
        }
        self.targets = {TARGET: b"contents"}
        self.custom = {}
        self.root()

    def sign(self, signed, role, signers=None):
        """The file; signed by as many keys as are needed."""
        metadata = Metadata(signed)
        for signer in self.signers[role][: self.thresholds[role]] if signers is None else signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(self.serializer)

    def rotate(self, role, number=1, threshold=1):
        """New keys for a role; gives the old ones."""
        old = self.signers[role]
        self.signers[role] = [CryptoSigner.generate_ed25519() for _ in range(number)]
        self.thresholds[role] = threshold
        return old

    def root(self, before=(), signers=None, edit=None, raw=None, version=None):
        """Publishes the next root, signed by its own keys and by `before`."""
        self.versions["root"] += 1
        signed = Root(
            version=version or self.versions["root"], expires=self.expires["root"], consistent_snapshot=True
        )
        for role in ROLES:
            for signer in self.signers[role]:
                signed.add_key(signer.public_key, role)
            signed.roles[role].threshold = self.thresholds[role]
        if edit:
            edit(signed)
        if signers is None:
            signers = [*before, *self.signers["root"][: self.thresholds["root"]]]
        file = self.sign(signed, "root", signers)
        self.files[f"metadata/{self.versions['root']}.root.json"] = raw(file) if raw else file

    def publish(self, edit=None, sign=None, raw=None, made=None, roles=ROLES[1:]):
        """Publishes targets, snapshot and timestamp. By role: `edit` changes what is signed, `sign` by whom, `made` the file
        before others list it, and `raw` the file on the server, which they do not know."""
        edit, sign, raw, made = edit or {}, sign or {}, raw or {}, made or {}

        def finish(role, signed, name):
            if role in edit:
                edit[role](signed)
            file = self.sign(signed, role, sign.get(role))
            file = made[role](file) if role in made else file
            self.files[f"metadata/{name}"] = raw[role](file) if role in raw else file
            return file

        for role in roles:
            self.versions[role] += 1
        if "targets" in roles:
            self.targets_file = finish("targets", self.signed_targets(), f"{self.versions['targets']}.targets.json")
        if "snapshot" in roles:
            meta = MetaFile.from_data(self.versions["targets"], self.targets_file, ["sha256"])
            signed = Snapshot(self.versions["snapshot"], expires=self.expires["snapshot"], meta={"targets.json": meta})
            self.snapshot_file = finish("snapshot", signed, f"{self.versions['snapshot']}.snapshot.json")
        if "timestamp" in roles:
            meta = MetaFile.from_data(self.versions["snapshot"], self.snapshot_file, ["sha256"])
            signed = Timestamp(self.versions["timestamp"], expires=self.expires["timestamp"], snapshot_meta=meta)
            finish("timestamp", signed, "timestamp.json")
        return self

    def signed_targets(self):
        """The signed part; lays the targets down."""
        signed = Targets(version=self.versions["targets"], expires=self.expires["targets"])
        for name, data in self.targets.items():
            info = TargetFile.from_data(name, data, ["sha256"])
            if name in self.custom:
                info.unrecognized_fields["custom"] = self.custom[name]
            signed.targets[name] = info
            folder, _, file = name.rpartition("/")
            self.files[f"targets/{folder}/{info.hashes['sha256']}.{file}"] = data
        return signed

    def target_path(self, name=TARGET):
        """Where the newest contents of a target lie."""
        folder, _, file = name.rpartition("/")
        info = TargetFile.from_data(name, self.targets[name], ["sha256"])
        return f"targets/{folder}/{info.hashes['sha256']}.{file}"


class Scenario:
    """Copies of repositories, in the order in which a client meets them."""

    def __init__(self, base, name):
        self.base, self.name, self.steps, self.bootstrap = base, name, [], None

    def meet(self, repository, now=NOW, targets=(TARGET,), change=None):
        """The client runs against the repository as it is now; `change` is what the server does to its files."""
        files = dict(repository.files)
        if self.bootstrap is None:
            self.bootstrap = files["metadata/1.root.json"]
        if change:
            change(files)
        folder = f"{self.name}/{len(self.steps)}"
        for path, data in files.items():
            path = os.path.join(self.base, folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        self.steps.append({
            "repository": folder,
            "now": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "targets": list(targets),
        })

    def finish(self):
        """As client.py reads it."""
        root = f"{self.name}/root.json"
        with open(os.path.join(self.base, root), "wb") as file:
            file.write(self.bootstrap)
        return {"root": root, "steps": self.steps}
