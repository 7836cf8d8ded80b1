use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::{Number, Standing, Table};

/// What the node said of each control: nothing, or what is wrong.
#[derive(Debug)]
pub struct Findings(BTreeMap<Number, Option<String>>);

impl Findings {
    /// # Errors
    /// A line of the script is no finding, or the second of its control.
    pub fn parse(printed: &str) -> Result<Self> {
        let mut findings = BTreeMap::new();
        for line in printed.lines() {
            let stray = || format!("the script printed `{line}`");
            let (number, said) = line.split_once(' ').with_context(stray)?;
            let fault = match said.split_once(' ') {
                None if said == "PASS" => None,
                Some(("FAIL", fault)) => Some(fault.to_owned()),
                _ => bail!(stray()),
            };
            let number = Number::parse(number).with_context(stray)?;
            ensure!(findings.insert(number, fault).is_none(), "{} twice", stray());
        }
        Ok(Findings(findings))
    }
}

/// The table held against what the node said.
#[derive(Debug, Default)]
pub struct Verdict {
    pub passed: Vec<Number>,
    pub not_applicable: Vec<Number>,
    /// Failed, as expected or not.
    pub failed: Vec<Number>,
    /// What the table does not say, a sentence each.
    pub unexpected: Vec<String>,
}

impl Verdict {
    pub fn of(table: &Table, findings: &Findings) -> Self {
        let mut verdict = Verdict::default();
        let mut left = findings.0.clone();
        for control in &table.0 {
            let number = control.number.clone();
            let found = left.remove(&number);
            let (list, surprise) = match (&control.standing, found) {
                (Standing::Applies, Some(None)) => (&mut verdict.passed, None),
                (Standing::Applies, Some(Some(fault))) => {
                    (&mut verdict.failed, Some(format!("fails: {fault}")))
                }
                (Standing::Deviates(_), Some(Some(_))) => (&mut verdict.failed, None),
                (Standing::Deviates(_), Some(None)) => {
                    (&mut verdict.passed, Some("passes now: take its `deviates` out".into()))
                }
                (Standing::DoesNotApply(_), Some(None)) => (&mut verdict.not_applicable, None),
                (Standing::DoesNotApply(_), Some(Some(fault))) => {
                    (&mut verdict.not_applicable, Some(format!("what stands in its place fails: {fault}")))
                }
                (Standing::DoesNotApply(_), None) if control.checks.is_empty() => {
                    (&mut verdict.not_applicable, None)
                }
                (_, None) => (&mut verdict.failed, Some("was not checked".into())),
            };
            list.push(number);
            verdict.unexpected.extend(surprise.map(|surprise| format!("{} {surprise}", control.number)));
        }
        verdict.unexpected.extend(left.keys().map(|number| format!("{number} is not in the table")));
        verdict
    }

    /// Part of the controls that apply and pass.
    pub fn ratio(&self) -> f64 {
        let count = |list: &[Number]| u32::try_from(list.len()).map_or(f64::NAN, f64::from);
        count(&self.passed) / (count(&self.passed) + count(&self.failed))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let applicable = self.passed.len() + self.failed.len();
        let failed: Vec<String> = self.failed.iter().map(Number::to_string).collect();
        write!(
            f,
            "CIS: {} of {applicable} automated controls pass, {} do not apply, {} fail ({})",
            self.passed.len(),
            self.not_applicable.len(),
            failed.len(),
            if failed.is_empty() { "none".into() } else { failed.join(", ") }
        )
    }
}
