"""Cases of sections 5.4 and 5.5, timestamp and snapshot; and those that are alike for timestamp, snapshot and targets."""

import json

from repository import NOW, TARGET, Repository, days, resign
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile

LATER = ("timestamp", "snapshot", "targets")
BEHIND = {"timestamp": "5_4_2", "snapshot": "5_5_3", "targets": "5_6_3"}
FRESH = {"timestamp": "5_4_4", "snapshot": "5_5_6", "targets": "5_6_5"}


def stranger(repository, role):
    return [CryptoSigner.generate_ed25519()]


def of_another_role(repository, role):
    return repository.signers["root"]


def nobody(repository, role):
    return []


def signed_by(role, who):
    """The repository is good at first; then `role` is signed by somebody else."""

    def case(scenario):
        repository = Repository().publish()
        scenario.meet(repository)
        scenario.meet(repository.publish(sign={role: who(repository, role)}))

    return case


def below_threshold(role):
    def case(scenario):
        repository = Repository({role: 3}, {role: 2})
        scenario.meet(repository.publish())
        scenario.meet(repository.publish(sign={role: repository.signers[role][1:2]}))

    return case


def doubled(role):
    """The threshold of two is reached with one key's signature twice."""

    def case(scenario):
        repository = Repository({role: 2}, {role: 2})

        def twice(file):
            data = json.loads(file)
            data["signatures"] = data["signatures"][:1] * 2
            return json.dumps(data).encode()

        scenario.meet(repository.publish(made={role: twice}))

    return case


def borrowed(role):
    """The threshold of two is reached with one key's signature under the id of the other."""

    def case(scenario):
        repository = Repository({role: 2}, {role: 2})

        def under_both(file):
            data = json.loads(file)
            data["signatures"][1]["sig"] = data["signatures"][0]["sig"]
            return json.dumps(data).encode()

        scenario.meet(repository.publish(made={role: under_both}))

    return case


def key_rotated_away(role):
    def case(scenario):
        repository = Repository().publish()
        scenario.meet(repository)
        old = repository.rotate(role)
        repository.root()
        scenario.meet(repository.publish(sign={role: old}))

    return case


def expired(role, seconds):
    """Expires so many seconds after now."""

    def case(scenario):
        repository = Repository()
        repository.expires[role] = NOW.replace(second=seconds)
        scenario.meet(repository.publish(), now=NOW.replace(second=10))
        repository.expires[role] = days(30)
        scenario.meet(repository.publish())

    return case


def missing(role):
    def case(scenario):
        repository = Repository().publish()
        names = [name for name in repository.files if name.endswith(f"{role}.json")]
        scenario.meet(repository, change=lambda files: [files.pop(name) for name in names])

    return case


def cut(role):
    def case(scenario):
        scenario.meet(Repository().publish(raw={role: lambda file: file[:-20]}))

    return case


for _role in LATER:
    globals()[f"s{BEHIND[_role]}_{_role}_unsigned"] = signed_by(_role, nobody)
    globals()[f"s{BEHIND[_role]}_{_role}_by_a_stranger"] = signed_by(_role, stranger)
    globals()[f"s{BEHIND[_role]}_{_role}_by_the_root_key"] = signed_by(_role, of_another_role)
    globals()[f"s{BEHIND[_role]}_{_role}_below_threshold"] = below_threshold(_role)
    globals()[f"s{BEHIND[_role]}_{_role}_two_signatures_of_one_key"] = doubled(_role)
    globals()[f"s{BEHIND[_role]}_{_role}_signature_under_another_id"] = borrowed(_role)
    globals()[f"s{BEHIND[_role]}_{_role}_key_rotated_away"] = key_rotated_away(_role)
    globals()[f"s{FRESH[_role]}_{_role}_expired"] = expired(_role, 9)
    globals()[f"s{FRESH[_role]}_{_role}_expires_now"] = expired(_role, 10)
    globals()[f"s{FRESH[_role]}_{_role}_expires_in_a_second"] = expired(_role, 11)
    globals()[f"s5_{LATER.index(_role) + 4}_1_{_role}_missing"] = missing(_role)
    globals()[f"s5_{LATER.index(_role) + 4}_1_{_role}_cut"] = cut(_role)


def s5_4_1_endless_timestamp(scenario):
    scenario.meet(Repository().publish(raw={"timestamp": lambda file: file + b" " * (16 << 10)}))


def s5_4_2_unknown_signature_beside(scenario):
    repository = Repository()
    signers = {role: [*stranger(repository, role), *repository.signers[role]] for role in LATER}
    scenario.meet(repository.publish(sign=signers))


def s5_4_3_timestamp_rolled_back(scenario):
    repository = Repository()
    repository.publish(roles=("targets", "snapshot", "timestamp"))
    old = dict(repository.files)
    scenario.meet(repository.publish())
    repository.files = old
    scenario.meet(repository)
    # The mirror returns to what it should be.
    repository.versions["timestamp"] = 4
    scenario.meet(repository.publish())


def s5_4_3_same_version_other_contents(scenario):
    repository = Repository()
    scenario.meet(repository.publish())
    repository.targets[TARGET] = b"other contents"
    repository.versions["timestamp"] -= 1
    # The contents of the timestamp that was trusted first.
    scenario.meet(repository.publish())


def s5_4_3_lists_an_older_snapshot(scenario):
    repository = Repository()
    repository.publish()
    scenario.meet(repository.publish())
    repository.versions["snapshot"] = 0
    scenario.meet(repository.publish())


def s5_4_3_frozen_until_it_expires(scenario):
    repository = Repository()
    repository.expires["timestamp"] = days(3)
    scenario.meet(repository.publish())
    scenario.meet(repository, now=days(2))
    scenario.meet(repository, now=days(4))


def s5_4_lists_no_snapshot(scenario):
    repository = Repository()

    def renamed(file):
        data = json.loads(file)
        data["signed"]["meta"] = {"other.json": data["signed"]["meta"]["snapshot.json"]}
        return resign(data, repository.signers["timestamp"])

    scenario.meet(repository.publish(made={"timestamp": renamed}))


def s5_4_one_key_stolen(scenario):
    """Only the timestamp's key: the thief signs a timestamp for a snapshot of its own making."""
    repository = Repository()
    scenario.meet(repository.publish())
    repository.targets[TARGET] = b"evil"
    thief = {"snapshot": stranger(repository, "snapshot"), "targets": stranger(repository, "targets")}
    scenario.meet(repository.publish(sign=thief))


def s5_5_1_snapshot_longer_than_listed(scenario):
    scenario.meet(Repository().publish(raw={"snapshot": lambda file: file + b" "}))


def s5_5_1_endless_snapshot(scenario):
    def no_length(signed):
        signed.snapshot_meta = MetaFile(signed.snapshot_meta.version)

    long = {"snapshot": lambda file: file + b" " * (64 << 10)}
    scenario.meet(Repository().publish(edit={"timestamp": no_length}, raw=long))


def s5_5_1_without_length_and_hashes(scenario):
    def no_length(signed):
        signed.snapshot_meta = MetaFile(signed.snapshot_meta.version)

    def no_target_length(signed):
        signed.meta["targets.json"] = MetaFile(signed.meta["targets.json"].version)

    scenario.meet(Repository().publish(edit={"timestamp": no_length, "snapshot": no_target_length}))


def s5_5_2_snapshot_changed(scenario):
    scenario.meet(Repository().publish(raw={"snapshot": lambda file: file.replace(b"2026-12", b"2036-12")}))


def s5_5_2_snapshot_by_sha512(scenario):
    repository = Repository()

    def sha512(signed):
        signed.snapshot_meta = MetaFile.from_data(signed.snapshot_meta.version, repository.snapshot_file, ["sha512"])

    scenario.meet(repository.publish(edit={"timestamp": sha512}))


def s5_5_2_one_of_two_hashes_is_wrong(scenario):
    def wrong(signed):
        signed.snapshot_meta.hashes["sha512"] = "00" * 64

    scenario.meet(Repository().publish(edit={"timestamp": wrong}))


def s5_5_2_unknown_hash(scenario):
    def unknown(signed):
        signed.snapshot_meta.hashes["fnv"] = "00"

    scenario.meet(Repository().publish(edit={"timestamp": unknown}))


def s5_5_4_snapshot_of_another_version(scenario):
    def other(signed):
        signed.version = 7

    scenario.meet(Repository().publish(edit={"snapshot": other}))


def s5_5_5_snapshot_lists_older_targets(scenario):
    repository = Repository()
    repository.publish()
    scenario.meet(repository.publish())
    repository.versions["targets"] = 0
    scenario.meet(repository.publish())


def with_extra(version):
    def edit(signed):
        signed.meta["extra.json"] = MetaFile(version)

    return edit


def s5_5_5_snapshot_lists_another_older_file(scenario):
    repository = Repository()
    scenario.meet(repository.publish(edit={"snapshot": with_extra(5)}))
    scenario.meet(repository.publish(edit={"snapshot": with_extra(4)}))


def s5_5_5_snapshot_lists_a_file_no_more(scenario):
    repository = Repository()
    scenario.meet(repository.publish(edit={"snapshot": with_extra(5)}))
    scenario.meet(repository.publish())


def s5_5_5_whole_mirror_rolled_back(scenario):
    repository = Repository()
    repository.publish()
    old = dict(repository.files)
    scenario.meet(repository.publish())
    repository.files = old
    scenario.meet(repository)
