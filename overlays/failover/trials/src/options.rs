//! Options of the commands that only have numbers.

use anyhow::{Context as _, Result, bail};

/// What these options are given, or else what they are by default; and the words that belong to none.
///
/// # Errors
/// An option is not among them, or is not followed by a number.
pub fn numbers<'a, const N: usize>(
    words: &[&'a str],
    options: [(&str, usize); N],
) -> Result<([usize; N], Vec<&'a str>)> {
    let (mut values, mut rest) = (options.map(|(_, value)| value), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            rest.push(*word);
            continue;
        }
        let Some(at) = options.iter().position(|(name, _)| name == word) else {
            bail!("there is no option `{word}`")
        };
        values[at] = words
            .next()
            .and_then(|n| n.parse::<usize>().ok())
            .filter(|n| *n > 0)
            .with_context(|| format!("{word} wants a number"))?;
    }
    Ok((values, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words() {
        let options = [("--rounds", 1), ("--seconds", 60)];
        assert_eq!(numbers(&["a", "--seconds", "5", "b"], options).unwrap(), ([1, 5], vec!["a", "b"]));
        for wrong in [&["--rounds"][..], &["--rounds", "x"], &["--rounds", "0"], &["--other", "1"]] {
            assert!(numbers(wrong, options).is_err(), "{wrong:?}");
        }
    }
}
