use crate::gpt::{GptError, Side};
use crate::state::Slot;

/// Why nothing is done. The running system was not touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    #[error(
        "the {side} partition table does not count: {error}\n  help: the disk may be failing; run `geminios-updater recover`, or replace the disk"
    )]
    Table { side: Side, error: GptError },
    #[error(
        "both copies of the partition table are damaged: {0}\n  help: do not restart the machine; write the image to the disk anew, or replace it"
    )]
    NoTable(GptError),
    #[error(
        "the backup partition table is not at the end of the disk\n  help: the disk has grown; restart once, so that systemd-repart moves it"
    )]
    TableNotAtEnd,
    #[error(
        "the partition table has no partition {0}, or two of that name\n  help: write an image of GeminiOS to the disk"
    )]
    NoPartition(&'static str),
    #[error(
        "the running system {0} is in neither slot of this disk\n  help: it was started from another disk, such as a USB stick; take that away and restart"
    )]
    RunningUnknown(crate::RootHash),
    #[error(
        "the running system has no entry in the boot loader\n  help: copy its kernel to EFI/Linux, or install this version again from a stick"
    )]
    RunningHasNoEntry,
    #[error("a cut left things to be cleaned up\n  help: run `geminios-updater recover`, then try again")]
    Unsettled,
    #[error(
        "the running version {version} is not blessed yet, so the other slot is all there is to fall back to\n  help: wait until its health checks have passed; `geminios-updater status` names the one that has not"
    )]
    RunningNotBlessed { version: String },
    #[error(
        "the running version {version} is blessed: it cannot be called bad\n  help: to leave it, use `geminios-updater rollback`"
    )]
    RunningBlessed { version: String },
    #[error("version {version} runs already\n  help: nothing is to be done")]
    AlreadyRunning { version: String },
    #[error(
        "version {version} is in slot {slot} already and waits to be started\n  help: restart the machine"
    )]
    AlreadyArmed { version: String, slot: Slot },
    #[error(
        "version {version} would not be started: the boot loader takes the greatest version, and {running} runs\n  help: to go back, use `geminios-updater rollback`; else publish it under a greater version"
    )]
    NotNewer { version: String, running: String },
    #[error(
        "`{0}` cannot be a version: 1 to 64 of letters, digits and `.~^-` are, a letter or digit first\n  help: publish the release under another version"
    )]
    Version(String),
    #[error(
        "version {version} failed on this device before: {reason}\n  help: publish a mended version; to try this one again all the same, use --force"
    )]
    FailedBefore { version: String, reason: String },
    #[error(
        "this firmware's boot counter was never seen to move, so a version that does not start could not fall back\n  help: run `geminios-updater probe` and restart; if the counter still stands, update the firmware"
    )]
    CounterUnproven,
    #[error(
        "{image} has {needed} bytes, its partition {room}\n  help: publish a smaller image, or write an image with larger slots to the disk"
    )]
    SlotTooSmall { image: crate::Image, needed: u64, room: u64 },
    #[error(
        "{image} has {size} bytes, which is no whole number of 4096-byte blocks\n  help: publish the release again"
    )]
    ImageSize { image: crate::Image, size: u64 },
    #[error(
        "the EFI system partition has {free} bytes for kernels, {needed} are needed\n  help: remove what is not of GeminiOS from it"
    )]
    EspFull { needed: u64, free: u64 },
    #[error(
        "the EFI system partition is read-only\n  help: the disk or its file system has errors: see the kernel's messages, then restart so that it is checked"
    )]
    EspReadOnly,
    #[error("the journal needs {needed} bytes on /var, {free} are free\n  help: remove files from /var")]
    JournalFull { needed: u64, free: u64 },
    #[error("there is no older version to go back to\n  help: install the wanted version as an update")]
    NothingOlder,
    #[error(
        "the other slot is {state}: there is nothing to fall back to\n  help: leave this version running, and install a mended one"
    )]
    NothingElse { state: String },
    #[error(
        "the boot loader's settings cannot be used: {0}\n  help: see the board's notes on how to write them anew"
    )]
    BootBytes(String),
}
