"""Cases of sections 5.1 to 5.3: time, the trusted root, and its update."""

import json

from repository import NOW, Repository, days, resign
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key


def s5_1_clock_of_1970(scenario):
    scenario.meet(Repository().publish(), now=NOW.replace(year=1970))


def s5_1_clock_of_2099(scenario):
    repository = Repository().publish()
    scenario.meet(repository, now=NOW.replace(year=2099))
    # The wrong clock must not last.
    scenario.meet(repository)


def s5_2_smallest_repository(scenario):
    scenario.meet(Repository().publish())


def s5_2_compact_json(scenario):
    scenario.meet(Repository(compact=True).publish())


def s5_2_trusted_root_expired_but_a_newer_is_there(scenario):
    repository = Repository()
    repository.expires["root"] = days(-5)
    repository.root(before=repository.signers["root"], version=1)
    repository.files["metadata/1.root.json"] = repository.files.pop("metadata/2.root.json")
    repository.versions["root"] = 1
    repository.expires["root"] = days(30)
    repository.root()
    scenario.meet(repository.publish())


def s5_2_trusted_root_does_not_sign_itself(scenario):
    repository = Repository().publish()
    scenario.bootstrap = resign(
        json.loads(repository.files["metadata/1.root.json"]), [CryptoSigner.generate_ed25519()]
    )
    scenario.meet(repository)


def s5_3_3_rotations(scenario):
    repository = Repository()
    for role in ("root", "timestamp", "snapshot", "targets", "root"):
        old = repository.rotate(role, number=3, threshold=2)
        repository.root(before=old if role == "root" else ())
    repository.publish()
    scenario.meet(repository)
    repository.publish()
    scenario.meet(repository)


def s5_3_3_middle_root_is_missing(scenario):
    repository = Repository()
    repository.rotate("timestamp")
    repository.root()
    repository.root()
    repository.publish()
    scenario.meet(repository, change=lambda files: files.pop("metadata/2.root.json"))


def s5_3_3_endless_root(scenario):
    repository = Repository().publish()
    repository.root(raw=lambda file: file + b" " * (128 << 10))
    scenario.meet(repository)


def s5_3_3_root_is_no_json(scenario):
    repository = Repository().publish()
    repository.root(raw=lambda file: b"<html>not here</html>")
    scenario.meet(repository)


def s5_3_4_signed_by_the_new_key_only(scenario):
    repository = Repository().publish()
    repository.rotate("root")
    repository.root()
    scenario.meet(repository)


def s5_3_4_signed_by_the_old_key_only(scenario):
    repository = Repository().publish()
    old = repository.rotate("root")
    repository.root(signers=old)
    scenario.meet(repository)


def s5_3_4_below_the_old_threshold(scenario):
    repository = Repository({"root": 3}, {"root": 2}).publish()
    old = repository.rotate("root")
    repository.root(before=old[:1])
    scenario.meet(repository)


def s5_3_4_below_the_new_threshold(scenario):
    repository = Repository().publish()
    old = repository.rotate("root", number=3, threshold=2)
    repository.root(signers=[*old, repository.signers["root"][0]])
    scenario.meet(repository)


def s5_3_4_two_signatures_of_one_key(scenario):
    repository = Repository({"root": 2}, {"root": 2}).publish()

    def doubled(file):
        data = json.loads(file)
        data["signatures"] = data["signatures"][:1] * 2
        return json.dumps(data).encode()

    repository.root(raw=doubled)
    scenario.meet(repository)


def s5_3_4_one_key_under_two_ids(scenario):
    repository = Repository()

    def alias(signed):
        key = repository.signers["targets"][0].public_key
        signed.add_key(Key.from_dict("alias", key.to_dict()), "targets")
        signed.roles["targets"].threshold = 2

    def under_both(file):
        data = json.loads(file)
        data["signatures"].append({"keyid": "alias", "sig": data["signatures"][0]["sig"]})
        return json.dumps(data).encode()

    repository.root(edit=alias)
    scenario.meet(repository.publish(made={"targets": under_both}))


def s5_3_4_key_listed_twice_in_a_role(scenario):
    repository = Repository().publish()

    def doubled(file):
        data = json.loads(file)
        data["signed"]["roles"]["timestamp"]["keyids"] *= 2
        return resign(data, repository.signers["root"])

    repository.root(raw=doubled)
    scenario.meet(repository)


def s5_3_4_rotated_root_key_goes_on(scenario):
    repository = Repository().publish()
    old = repository.rotate("root")
    repository.root(before=old)
    scenario.meet(repository)
    repository.root(signers=old)
    scenario.meet(repository)


def s5_3_4_changed_after_signing(scenario):
    repository = Repository().publish()
    repository.root(raw=lambda file: file.replace(b"2026-12-27", b"2036-12-27"))
    scenario.meet(repository)


def s5_3_5_root_skips_a_version(scenario):
    repository = Repository().publish()
    repository.root(version=3)
    scenario.meet(repository)


def s5_3_5_root_rolled_back(scenario):
    repository = Repository().publish()
    repository.root()
    repository.files["metadata/2.root.json"] = repository.files["metadata/1.root.json"]
    scenario.meet(repository)


def s5_3_6_middle_root_expired(scenario):
    repository = Repository()
    repository.expires["root"] = days(-1)
    repository.root()
    repository.expires["root"] = days(30)
    repository.root()
    scenario.meet(repository.publish())


def s5_3_10_last_root_expired(scenario):
    repository = Repository().publish()
    repository.expires["root"] = days(-1)
    repository.root()
    scenario.meet(repository)
    # A refusal leaves no unrecoverable state.
    repository.expires["root"] = days(30)
    repository.root()
    scenario.meet(repository)


def s5_3_11_timestamp_key_rotated_away(scenario):
    repository = Repository().publish()
    repository.rotate("timestamp")
    repository.root()
    scenario.meet(repository)


def s5_3_11_fast_forward_of_the_timestamp_is_recovered(scenario):
    repository = Repository()
    repository.versions["timestamp"] = 1 << 40
    scenario.meet(repository.publish())
    repository.rotate("timestamp")
    repository.root()
    repository.versions["timestamp"] = 1
    scenario.meet(repository.publish())


def s5_3_11_fast_forward_of_all_is_recovered(scenario):
    repository = Repository()
    for role in ("timestamp", "snapshot", "targets"):
        repository.versions[role] = 1 << 40
    scenario.meet(repository.publish())
    for role in ("timestamp", "snapshot", "targets"):
        repository.rotate(role)
        repository.versions[role] = 1
    repository.root()
    scenario.meet(repository.publish())


def s5_3_11_fast_forward_without_rotation_stays(scenario):
    repository = Repository()
    repository.versions["timestamp"] = 1 << 40
    scenario.meet(repository.publish())
    repository.root()
    repository.versions["timestamp"] = 1
    scenario.meet(repository.publish())


def s5_3_11_a_signer_that_stays_keeps_the_versions(scenario):
    repository = Repository({"timestamp": 2})
    repository.versions["timestamp"] = 5
    scenario.meet(repository.publish())
    repository.signers["timestamp"].pop()
    repository.root()
    repository.versions["timestamp"] = 3
    scenario.meet(repository.publish())


def s5_3_11_too_few_signers_stay(scenario):
    repository = Repository({"timestamp": 2}, {"timestamp": 2})
    repository.versions["timestamp"] = 1 << 40
    scenario.meet(repository.publish())
    stays, _ = repository.signers["timestamp"]
    repository.signers["timestamp"] = [stays, CryptoSigner.generate_ed25519()]
    repository.root()
    repository.versions["timestamp"] = 1
    scenario.meet(repository.publish())


def s5_3_11_only_the_snapshot_key_rotated(scenario):
    repository = Repository()
    repository.versions["snapshot"] = 1 << 40
    scenario.meet(repository.publish())
    repository.rotate("snapshot")
    repository.root()
    repository.versions["snapshot"] = 1
    scenario.meet(repository.publish())


def s5_3_12_consistent_snapshot_off(scenario):
    repository = Repository().publish()

    def off(signed):
        signed.consistent_snapshot = False

    repository.root(edit=off)
    for name in ("snapshot", "targets"):
        repository.files[f"metadata/{name}.json"] = repository.files[f"metadata/1.{name}.json"]
    repository.files["targets/a/b.txt"] = b"contents"
    scenario.meet(repository)


def changed_root(change):
    """A case: the next root is signed by its key, but after `change` of its signed part."""

    def case(scenario):
        repository = Repository().publish()

        def raw(file):
            data = json.loads(file)
            change(data["signed"])
            return resign(data, repository.signers["root"])

        repository.root(raw=raw)
        scenario.meet(repository)

    return case


s5_3_of_another_type = changed_root(lambda signed: signed.update(_type="targets"))
s5_3_specification_2 = changed_root(lambda signed: signed.update(spec_version="2.0.0"))
s5_3_specification_is_no_number = changed_root(lambda signed: signed.update(spec_version="1.x"))
s5_3_a_role_is_missing = changed_root(lambda signed: signed["roles"].pop("snapshot"))
s5_3_a_role_too_many = changed_root(lambda signed: signed["roles"].update(extra=signed["roles"]["root"]))
s5_3_threshold_of_0 = changed_root(lambda signed: signed["roles"]["timestamp"].update(threshold=0))
s5_3_threshold_above_the_keys = changed_root(lambda signed: signed["roles"]["timestamp"].update(threshold=2))
s5_3_version_0 = changed_root(lambda signed: signed.update(version=0))
s5_3_version_is_text = changed_root(lambda signed: signed.update(version="2"))
s5_3_expires_is_no_time = changed_root(lambda signed: signed.update(expires="tomorrow"))
s5_3_expires_on_31_february = changed_root(lambda signed: signed.update(expires="2027-02-31T00:00:00Z"))
s5_3_no_keys = changed_root(lambda signed: signed.pop("keys"))
s5_3_unknown_members_are_kept = changed_root(lambda signed: signed.update(note={"by": 'a "name" \\ é \n \x7f', "n": -7}))
s5_3_key_of_another_kind_beside = changed_root(
    lambda signed: signed["keys"].update(other={"keytype": "x", "scheme": "y", "keyval": {"public": "z"}})
)
s5_3_key_by_ecdsa_beside = changed_root(
    lambda signed: signed["keys"].update(other=CryptoSigner.generate_ecdsa().public_key.to_dict())
)
s5_3_role_names_an_unknown_key = changed_root(lambda signed: signed["roles"]["targets"]["keyids"].append("unknown"))


def s5_3_free_key_ids(scenario):
    repository = Repository()

    def rename(data):
        for number, (old, key) in enumerate(list(data["signed"]["keys"].items())):
            del data["signed"]["keys"][old]
            data["signed"]["keys"][f"key {number}"] = key
            for role in data["signed"]["roles"].values():
                role["keyids"] = [f"key {number}" if keyid == old else keyid for keyid in role["keyids"]]
            for signature in data["signatures"]:
                if signature["keyid"] == old:
                    signature["keyid"] = f"key {number}"
        return data

    ids = {}
    root = json.loads(repository.files["metadata/1.root.json"])
    for number, old in enumerate(root["signed"]["keys"]):
        ids[old] = f"key {number}"
    root = rename(root)
    root = json.loads(resign(root, repository.signers["root"]))
    root["signatures"][0]["keyid"] = ids[root["signatures"][0]["keyid"]]
    repository.files["metadata/1.root.json"] = json.dumps(root).encode()

    def renamed(file):
        data = json.loads(file)
        data["signatures"][0]["keyid"] = ids[data["signatures"][0]["keyid"]]
        return json.dumps(data).encode()

    scenario.meet(repository.publish(made=dict.fromkeys(("targets", "snapshot", "timestamp"), renamed)))
