"""Cases of sections 5.6 and 5.7, targets and the target itself; and of what all files have in common."""

import json

from repository import TARGET, Repository
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile


def s5_6_1_targets_longer_than_listed(scenario):
    scenario.meet(Repository().publish(raw={"targets": lambda file: file + b" "}))


def s5_6_1_endless_targets(scenario):
    def no_length(signed):
        signed.meta["targets.json"] = MetaFile(signed.meta["targets.json"].version)

    long = {"targets": lambda file: file + b" " * (4 << 20)}
    scenario.meet(Repository().publish(edit={"snapshot": no_length}, raw=long))


def s5_6_2_targets_changed(scenario):
    scenario.meet(Repository().publish(raw={"targets": lambda file: file.replace(b"2026-12", b"2036-12")}))


def s5_6_2_mix_and_match(scenario):
    """New snapshot, old targets under the new name."""
    repository = Repository()
    scenario.meet(repository.publish())
    old = repository.files["metadata/1.targets.json"]
    scenario.meet(repository.publish(raw={"targets": lambda file: old}))


def s5_6_4_mix_and_match_without_hashes(scenario):
    repository = Repository()

    def no_hash(signed):
        signed.meta["targets.json"] = MetaFile(signed.meta["targets.json"].version)

    scenario.meet(repository.publish(edit={"snapshot": no_hash}))
    old = repository.files["metadata/1.targets.json"]
    scenario.meet(repository.publish(edit={"snapshot": no_hash}, raw={"targets": lambda file: old}))


def s5_6_3_one_of_two_keys_stolen(scenario):
    repository = Repository({"targets": 2}, {"targets": 2})
    scenario.meet(repository.publish())
    repository.targets[TARGET] = b"evil"
    thief = {"targets": [repository.signers["targets"][0], CryptoSigner.generate_ed25519()]}
    scenario.meet(repository.publish(sign=thief))


def s5_6_7_delegation(scenario):
    def delegate(signed):
        signer = CryptoSigner.generate_ed25519()
        role = DelegatedRole("other", [signer.public_key.keyid], 1, True, paths=["x/*"])
        signed.delegations = Delegations({signer.public_key.keyid: signer.public_key}, {"other": role})

    scenario.meet(Repository().publish(edit={"targets": delegate}))


def s5_6_7_no_delegations_in_words(scenario):
    def none(signed):
        signed.delegations = Delegations({}, {})

    scenario.meet(Repository().publish(edit={"targets": none}))


def s5_7_1_custom_with_strange_text(scenario):
    repository = Repository()
    repository.custom[TARGET] = {"ключ": 'é \u2028 \U0001f980 " \\ \x01 \t', "b": [True, False, None, -3, 1 << 60, {}]}
    scenario.meet(repository.publish())


def s5_7_2_extraneous_target(scenario):
    def lay(files):
        files["targets/evil"] = files["targets/" + "0" * 64 + ".evil"] = b"evil"

    scenario.meet(Repository().publish(), targets=("evil",), change=lay)


def s5_7_3_several_targets(scenario):
    repository = Repository()
    repository.targets |= {"empty": b"", "x/y/z+1.2_3-4": b"\x00" * 5000}
    scenario.meet(repository.publish(), targets=(TARGET, "x/y/z+1.2_3-4"))


def target_is(contents):
    def case(scenario):
        repository = Repository().publish()
        scenario.meet(repository, change=lambda files: files.update({repository.target_path(): contents}))

    return case


s5_7_3_target_changed = target_is(b"contentz")
s5_7_3_target_shorter = target_is(b"content")
s5_7_3_endless_target = target_is(b"contents" * 10_000)


def s5_7_3_target_swapped_with_another(scenario):
    repository = Repository()
    repository.targets["other"] = b"othersss"
    repository.publish()
    scenario.meet(repository, change=lambda files: files.update({repository.target_path(): b"othersss"}))


def s5_7_3_old_target_in_its_place(scenario):
    repository = Repository()
    scenario.meet(repository.publish())
    repository.targets[TARGET] = b"CONTENTS"
    repository.publish()
    scenario.meet(repository, change=lambda files: files.update({repository.target_path(): b"contents"}))


def path_trick(name):
    def case(scenario):
        repository = Repository()
        repository.targets[name] = b"trick"
        scenario.meet(repository.publish(), change=lambda files: [files.pop(n) for n in list(files) if b"trick" == files[n]])

    return case


s5_7_3_path_upwards = path_trick("../../etc/passwd")
s5_7_3_path_absolute = path_trick("/etc/passwd")
s5_7_3_path_with_backslash = path_trick("a\\..\\b")


def s5_key_twice_in_an_object(scenario):
    twice = {"timestamp": lambda file: file.replace(b'"signatures":', b'"signatures": [], "signatures":', 1)}
    scenario.meet(Repository().publish(raw=twice))


def s5_signature_in_capitals(scenario):
    def capitals(file):
        data = json.loads(file)
        data["signatures"][0]["sig"] = data["signatures"][0]["sig"].upper()
        return json.dumps(data).encode()

    scenario.meet(Repository().publish(raw={"timestamp": capitals}))


def s5_number_with_a_fraction(scenario):
    scenario.meet(Repository().publish(raw={"timestamp": lambda file: file.replace(b'"version": 1', b'"version": 1.0')}))


def s5_member_beside_the_signed_part(scenario):
    beside = {"timestamp": lambda file: file.replace(b'"signatures":', b'"note": 1, "signatures":', 1)}
    scenario.meet(Repository().publish(raw=beside))
