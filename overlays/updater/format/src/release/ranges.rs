//! A set of bytes, kept as sorted stretches that do not touch: what is written already.

use std::collections::BTreeMap;

use super::Range;

/// Start → end, both in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stretch. One beyond u64 is cut there.
    pub fn insert(&mut self, range: Range) {
        let (mut start, mut end) = (range.offset, range.offset.saturating_add(range.length));
        if start == end {
            return;
        }
        // All that begin before the end and do not end before the start become one.
        while let Some((&other_start, &other_end)) = self.0.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            self.0.remove(&other_start);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.0.insert(start, end);
    }

    /// Whether all of the stretch is in the set. An empty one always is.
    pub fn contains(&self, range: Range) -> bool {
        let end = range.offset.saturating_add(range.length);
        let before = self.0.range(..=range.offset).next_back();
        range.length == 0 || before.is_some_and(|(_, &before_end)| end <= before_end)
    }

    pub fn iter(&self) -> impl Iterator<Item = Range> {
        self.0.iter().map(|(&start, &end)| Range { offset: start, length: end - start })
    }

    /// Bytes.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }
}

impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut set = Ranges::new();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_holds_the_bytes_that_were_put_in(input: Vec<(u8, u8)>, asked: (u8, u8)) {
            let range = |(offset, length): (u8, u8)| Range { offset: offset.into(), length: length.into() };
            let set: Ranges = input.iter().copied().map(range).collect();
            let has = |byte: u64| input.iter().copied().map(range).any(|r| r.offset <= byte && byte < r.offset + r.length);
            let bytes = (0..512).filter(|byte| has(*byte)).count() as u64;
            proptest::prop_assert_eq!(set.total(), bytes);
            let asked = range(asked);
            proptest::prop_assert_eq!(set.contains(asked), (asked.offset..asked.offset + asked.length).all(has));
            let listed: Vec<Range> = set.iter().collect();
            proptest::prop_assert!(listed.windows(2).all(|pair| pair[0].offset + pair[0].length < pair[1].offset));
        }
    }
}
