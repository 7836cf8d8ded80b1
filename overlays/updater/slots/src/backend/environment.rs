//! U-Boot's redundant environment (U-Boot, env/common.c `env_check_redund`, include/env_internal.h; incremental flag as on
//! block devices): CRC-32 of the data, a flag byte that counts writes, then `name=value` strings, each ended by a zero,
//! the last by two. Little-endian, as all boards that GeminiOS has.

use std::collections::BTreeMap;

use crate::crc::crc32;

/// CRC and flag.
const HEADER: usize = 5;
/// Bytes of a copy: what U-Boot is configured for, between these.
const SIZES: std::ops::RangeInclusive<usize> = 64..=1 << 20;

/// Why a copy does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    #[error("{0} bytes are no environment")]
    Size(usize),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it has a variable without `=`, or without a name")]
    Variable,
    #[error("it has no end")]
    NoEnd,
    #[error("{needed} bytes do not fit into an environment of {size}")]
    Full { needed: usize, size: usize },
    #[error("neither copy counts: {0}; {1}")]
    Neither(Box<EnvironmentError>, Box<EnvironmentError>),
    #[error("there are not two copies of the same size")]
    NotTwo,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    size: usize,
    flag: u8,
    /// Bytes, since U-Boot has no rule about their encoding.
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Environment {
    /// # Errors
    /// Why the copy does not count.
    pub fn parse(copy: &[u8]) -> Result<Environment, EnvironmentError> {
        if !SIZES.contains(&copy.len()) {
            return Err(EnvironmentError::Size(copy.len()));
        }
        let (header, data) = copy.split_at(HEADER);
        if header[..4] != crc32(data).to_le_bytes() {
            return Err(EnvironmentError::Checksum);
        }
        let mut variables = BTreeMap::new();
        let mut rest = data;
        while rest.first().is_some_and(|byte| *byte != 0) {
            let end = rest.iter().position(|byte| *byte == 0).ok_or(EnvironmentError::NoEnd)?;
            let split = rest[..end].iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let split = split.ok_or(EnvironmentError::Variable)?;
            // As U-Boot's hash table does, a later value takes the place of an earlier one.
            variables.insert(rest[..split].to_vec(), rest[split + 1..end].to_vec());
            rest = &rest[end + 1..];
        }
        if rest.is_empty() {
            return Err(EnvironmentError::NoEnd);
        }
        Ok(Environment { size: copy.len(), flag: header[4], variables })
    }

    /// # Errors
    /// The variables do not fit.
    pub fn encode(&self) -> Result<Vec<u8>, EnvironmentError> {
        let mut data = Vec::new();
        for (name, value) in &self.variables {
            data.extend(name);
            data.push(b'=');
            data.extend(value);
            data.push(0);
        }
        data.push(0);
        if data.len() + HEADER > self.size {
            return Err(EnvironmentError::Full { needed: data.len() + HEADER, size: self.size });
        }
        data.resize(self.size - HEADER, 0);
        let mut copy = crc32(&data).to_le_bytes().to_vec();
        copy.push(self.flag);
        copy.extend(data);
        Ok(copy)
    }

    /// A variable, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.variables.get(name.as_bytes())?).ok()
    }
}

/// Both copies, and which one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// 0 or 1.
    pub active: usize,
    pub environment: Environment,
}

impl Pair {
    /// # Errors
    /// Neither copy counts.
    pub fn parse(copies: &[Vec<u8>]) -> Result<Pair, EnvironmentError> {
        let [first, second] = copies else { return Err(EnvironmentError::NotTwo) };
        if first.len() != second.len() {
            return Err(EnvironmentError::NotTwo);
        }
        let (active, environment) = match (Environment::parse(first), Environment::parse(second)) {
            (Ok(first), Ok(second)) => {
                if is_newer(second.flag, first.flag) {
                    (1, second)
                } else {
                    (0, first)
                }
            }
            (Ok(first), Err(_)) => (0, first),
            (Err(_), Ok(second)) => (1, second),
            (Err(a), Err(b)) => return Err(EnvironmentError::Neither(Box::new(a), Box::new(b))),
        };
        Ok(Pair { active, environment })
    }

    /// The copy that does not count, with these changes and a flag by which it will: number and bytes. If its write is
    /// torn, the other still counts.
    ///
    /// # Errors
    /// The variables do not fit.
    pub fn changed(&self, changes: &[(&str, &str)]) -> Result<(usize, Vec<u8>), EnvironmentError> {
        let mut next = self.environment.clone();
        next.flag = next.flag.wrapping_add(1);
        for (name, value) in changes {
            next.variables.insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
        }
        Ok((1 - self.active, next.encode()?))
    }
}

/// 0 comes after 255; of equals the first copy counts.
fn is_newer(a: u8, b: u8) -> bool {
    match (a, b) {
        (0, 255) => true,
        (255, 0) => false,
        _ => a > b,
    }
}
