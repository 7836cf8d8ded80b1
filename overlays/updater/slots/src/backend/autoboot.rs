//! The Raspberry Pi's `autoboot.txt` (Raspberry Pi documentation, "Config.txt", "autoboot.txt"): at most 512 bytes, in the
//! first FAT partition. Written in one form only, so that two versions of it differ in two digits: however a write of its
//! one sector is torn, each digit is the old or the new one.

/// The numbers of the FAT partitions that the firmware may boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoboot {
    /// `boot_partition` of `[all]`.
    pub always: u8,
    /// `boot_partition` of `[tryboot]`: the next boot only, if it is asked for.
    pub once: u8,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AutobootError {
    #[error("autoboot.txt is not as GeminiOS writes it")]
    Form,
    #[error("autoboot.txt names a partition that is none of 1 to 9")]
    Partition,
}

impl Autoboot {
    pub fn encode(self) -> Vec<u8> {
        let Autoboot { always, once } = self;
        format!("[all]\ntryboot_a_b=1\nboot_partition={always}\n[tryboot]\nboot_partition={once}\n")
            .into_bytes()
    }

    /// # Errors
    /// It was not written by [`Autoboot::encode`].
    pub fn parse(bytes: &[u8]) -> Result<Autoboot, AutobootError> {
        let text = std::str::from_utf8(bytes).map_err(|_| AutobootError::Form)?;
        let digits = text.strip_prefix("[all]\ntryboot_a_b=1\nboot_partition=");
        let digits =
            digits.and_then(|rest| rest.strip_suffix('\n')?.split_once("\n[tryboot]\nboot_partition="));
        let (always, once) = digits.ok_or(AutobootError::Form)?;
        let number = |text: &str| match text.as_bytes() {
            [digit @ b'1'..=b'9'] => Ok(digit - b'0'),
            _ => Err(AutobootError::Partition),
        };
        Ok(Autoboot { always: number(always)?, once: number(once)? })
    }
}
