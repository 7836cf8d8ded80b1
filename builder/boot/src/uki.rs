//! A unified kernel image: systemd's stub with sections added (UAPI.5, Unified Kernel Image).

use object::pod::{bytes_of, slice_from_bytes};
use object::read::pe::{ImageNtHeaders, PeFile64};
use object::{LittleEndian as LE, U16, U32, pe};

use crate::error::BootError;

/// What becomes one EFI program.
#[derive(Clone, Copy, Debug)]
pub struct Uki<'a> {
    /// `linux*.efi.stub` of systemd-boot-efi.
    pub stub: &'a [u8],
    /// A kernel with an EFI entry point, as in /boot.
    pub kernel: &'a [u8],
    pub initrd: &'a [u8],
    pub cmdline: &'a str,
    /// The image's os-release: the boot menu's title and version come from it.
    pub os_release: &'a str,
    /// The kernel's version.
    pub uname: &'a str,
}

impl Uki<'_> {
    /// The image. Signatures of the stub are taken out, since they do not hold for it any more; it can be signed
    /// afterwards.
    ///
    /// # Errors
    /// Stub or kernel is no such file; the stub's header has no room for the sections.
    pub fn build(&self) -> Result<Vec<u8>, BootError> {
        let kernel = Headers::read(self.kernel, "the kernel")?;
        let mut stub = Headers::read(self.stub, "the stub")?;
        if stub.file.machine.get(LE) != kernel.file.machine.get(LE) {
            let (stub, kernel) = (stub.file.machine.get(LE).0, kernel.file.machine.get(LE).0);
            return Err(BootError::Machines { stub, kernel });
        }
        let sections = [
            (*b".osrel\0\0", self.os_release.as_bytes(), 0),
            (*b".cmdline", self.cmdline.as_bytes(), 0),
            (*b".uname\0\0", self.uname.as_bytes(), 0),
            (*b".initrd\0", self.initrd, 0),
            // Last, and as large in memory as the kernel is when it has unpacked itself in place.
            (*b".linux\0\0", self.kernel, kernel.optional.size_of_image.get(LE)),
        ];
        let mut out = stub.without_signature(self.stub);
        stub.check_room(&out, sections.len())?;
        for (name, data, memory) in sections {
            stub.add(name, data, memory, &mut out)?;
        }
        stub.write_back(&mut out);
        Ok(out)
    }
}

/// The content of a section of an EFI program, such as `.cmdline`; `None` if it is no such program or has none.
pub fn section<'a>(program: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let file = PeFile64::parse(program).ok()?;
    let section = file.section_table().iter().find(|s| s.raw_name() == name.as_bytes())?;
    let start = section.pointer_to_raw_data.get(LE) as usize;
    let size = section.virtual_size.get(LE).min(section.size_of_raw_data.get(LE)) as usize;
    program.get(start..start.checked_add(size)?)
}

/// The headers of a PE32+ file that change when sections are added.
struct Headers {
    /// Where "PE\0\0" stands.
    at: usize,
    file: pe::ImageFileHeader,
    optional: pe::ImageOptionalHeader64,
    table: Vec<pe::ImageSectionHeader>,
    /// Where the section table stands.
    table_at: usize,
}

impl Headers {
    fn read(bytes: &[u8], what: &'static str) -> Result<Self, BootError> {
        let wrong = |why: String| BootError::NotPe { what, why };
        let file = PeFile64::parse(bytes).map_err(|error| wrong(error.to_string()))?;
        let nt = file.nt_headers();
        let at = file.dos_header().nt_headers_offset() as usize;
        let header = *nt.file_header();
        let headers = Headers {
            at,
            file: header,
            optional: *nt.optional_header(),
            table: file.section_table().iter().copied().collect(),
            table_at: at
                + 4
                + size_of::<pe::ImageFileHeader>()
                + header.size_of_optional_header.get(LE) as usize,
        };
        let (align, file_align) =
            (headers.optional.section_alignment.get(LE), headers.optional.file_alignment.get(LE));
        if !align.is_power_of_two() || !file_align.is_power_of_two() || headers.table.is_empty() {
            return Err(wrong(format!(
                "alignments {align} and {file_align}, {} sections",
                headers.table.len()
            )));
        }
        Ok(headers)
    }

    /// The file up to the certificate table, which the specification puts at the end (PE Format, "Attribute
    /// Certificate Table").
    fn without_signature(&self, bytes: &[u8]) -> Vec<u8> {
        let directory =
            self.directories(bytes).and_then(|all| all.get(pe::IMAGE_DIRECTORY_ENTRY_SECURITY).copied());
        // Of this directory alone the address is a place in the file.
        let start = directory.map_or(0, |d| d.virtual_address.get(LE) as usize);
        let mut out = bytes[..if start == 0 { bytes.len() } else { start.min(bytes.len()) }].to_vec();
        let entry = self.at + self.optional_size() + pe::IMAGE_DIRECTORY_ENTRY_SECURITY * 8;
        if directory.is_some()
            && let Some(entry) = out.get_mut(entry..entry + 8)
        {
            entry.fill(0);
        }
        out
    }

    fn optional_size(&self) -> usize {
        4 + size_of::<pe::ImageFileHeader>() + size_of::<pe::ImageOptionalHeader64>()
    }

    fn directories<'a>(&self, bytes: &'a [u8]) -> Option<&'a [pe::ImageDataDirectory]> {
        let rest = bytes.get(self.at + self.optional_size()..self.table_at)?;
        let count = self.optional.number_of_rva_and_sizes.get(LE) as usize;
        slice_from_bytes(rest, count.min(rest.len() / 8)).ok().map(|(all, _)| all)
    }

    /// The room for headers ends where `size_of_headers` says, or where the first section's bytes begin.
    fn check_room(&self, bytes: &[u8], needed: usize) -> Result<(), BootError> {
        let used = self.table_at + self.table.len() * size_of::<pe::ImageSectionHeader>();
        let first = self
            .table
            .iter()
            .filter(|s| s.size_of_raw_data.get(LE) > 0)
            .map(|s| s.pointer_to_raw_data.get(LE));
        let end = first.chain([self.optional.size_of_headers.get(LE)]).min().unwrap_or(0) as usize;
        let free = bytes.get(used..end.min(bytes.len())).unwrap_or_default();
        // Something may stand there that no table tells of; only zeroes are room.
        let free = free.iter().take_while(|byte| **byte == 0).count();
        let room = free / size_of::<pe::ImageSectionHeader>();
        if room < needed { Err(BootError::HeaderRoom { room, needed }) } else { Ok(()) }
    }

    /// Appends a section to the file, at the next address after all others.
    fn add(&mut self, name: [u8; 8], data: &[u8], memory: u32, out: &mut Vec<u8>) -> Result<(), BootError> {
        let too_large = |_| BootError::UkiTooLarge { size: out.len() + data.len() };
        let (align, file_align) =
            (self.optional.section_alignment.get(LE), self.optional.file_alignment.get(LE));
        let size = i32::try_from(data.len()).map_err(too_large)? as u32;
        i32::try_from(out.len() + data.len() + (1 << 20)).map_err(too_large)?;
        let address =
            self.table.iter().map(|s| s.virtual_address.get(LE).saturating_add(s.virtual_size.get(LE))).max();
        let address = address.unwrap_or(0).checked_next_multiple_of(align);
        let too_large = || BootError::UkiTooLarge { size: data.len() };
        let address = address.filter(|a| a.checked_add(size.max(memory)).is_some()).ok_or_else(too_large)?;
        out.resize(out.len().next_multiple_of(file_align as usize), 0);
        let header = pe::ImageSectionHeader {
            name,
            virtual_size: U32::new(LE, size.max(memory)),
            virtual_address: U32::new(LE, address),
            size_of_raw_data: U32::new(LE, size.next_multiple_of(file_align)),
            pointer_to_raw_data: U32::new(LE, out.len() as u32),
            pointer_to_relocations: U32::new(LE, 0),
            pointer_to_linenumbers: U32::new(LE, 0),
            number_of_relocations: U16::new(LE, 0),
            number_of_linenumbers: U16::new(LE, 0),
            characteristics: U32::new(LE, pe::IMAGE_SCN_CNT_INITIALIZED_DATA | pe::IMAGE_SCN_MEM_READ),
        };
        out.extend(data);
        out.resize(out.len().next_multiple_of(file_align as usize), 0);
        let initialized = self.optional.size_of_initialized_data.get(LE);
        let initialized = initialized.saturating_add(size.next_multiple_of(file_align));
        self.optional.size_of_initialized_data.set(LE, initialized);
        let end = (address + size.max(memory)).checked_next_multiple_of(align).ok_or_else(too_large)?;
        self.optional.size_of_image.set(LE, end);
        self.table.push(header);
        Ok(())
    }

    fn write_back(&mut self, out: &mut [u8]) {
        self.file.number_of_sections.set(LE, self.table.len() as u16);
        self.file.time_date_stamp.set(LE, 0);
        self.optional.check_sum.set(LE, 0);
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(self.at + 4, bytes_of(&self.file));
        put(self.at + 4 + size_of::<pe::ImageFileHeader>(), bytes_of(&self.optional));
        for (i, header) in self.table.iter().enumerate() {
            put(self.table_at + i * size_of::<pe::ImageSectionHeader>(), bytes_of(header));
        }
    }
}

#[cfg(test)]
mod tests;
