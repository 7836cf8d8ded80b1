//! A client of PostgreSQL that writes one row at a time, and what was acknowledged to it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

use crate::story::now;

/// Where it writes to. Each number once, so that what is missing shows.
pub const TABLE: &str = "create table written (number bigint primary key)";
const INSERT: &str = "insert into written values ($1)";

/// A server that is there answers on this network within a millisecond.
const CONNECT: Duration = Duration::from_millis(200);
/// After which a write is given up, as the checker does it.
const ANSWER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// `write HISTORY CONNINFO`, until it is killed.
///
/// # Errors
/// Wrong words; the history cannot be written.
pub fn run(words: &[&str]) -> Result<()> {
    let [history, conninfo] = words else { bail!("{words:?}: not `HISTORY CONNINFO`") };
    let mut config: Config = conninfo.parse()?;
    config.connect_timeout(CONNECT);
    let history = File::options().append(true).create(true).open(history).context((*history).to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(write(&config, history))
}

async fn write(config: &Config, mut history: File) -> Result<()> {
    let mut number = 0_i64;
    loop {
        let client = match timeout(ANSWER, session(config)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                writeln!(history, "{} none {error}", now())?;
                sleep(PAUSE).await;
                continue;
            }
            Err(_) => {
                writeln!(history, "{} none answers", now())?;
                continue;
            }
        };
        // What failed may yet be done: its number is never used again.
        loop {
            number += 1;
            match timeout(ANSWER, client.execute(INSERT, &[&number])).await {
                Ok(Ok(_)) => writeln!(history, "{} ok {number}", now())?,
                Ok(Err(error)) => {
                    writeln!(history, "{} failed {number} {error}", now())?;
                    break;
                }
                Err(_) => {
                    writeln!(history, "{} silent {number}", now())?;
                    break;
                }
            }
            sleep(PAUSE).await;
        }
    }
}

async fn session(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // It ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}

/// What a history says was acknowledged: when, and which number.
pub struct Acknowledged(Vec<(u64, i64)>);

/// A time without an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    pub from: u64,
    pub to: u64,
}

impl Acknowledged {
    /// # Errors
    /// The history cannot be read.
    pub fn read(history: &Path) -> Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(history).with_context(|| history.display().to_string())?))
    }

    fn parse(history: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (at, what, number) = (words.next()?, words.next()?, words.next()?);
            Some((at.parse().ok()?, number.parse().ok()?)).filter(|_| what == "ok")
        };
        // The last line may be half written.
        let whole = history.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Acknowledged(whole.lines().filter_map(line).collect())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(at, _)| *at)
    }

    /// The longest silence that ended after this.
    #[must_use]
    pub fn silence(&self, fault: u64) -> Option<Silence> {
        let pairs = self.0.windows(2).filter(|pair| pair[1].0 > fault);
        pairs
            .map(|pair| Silence { from: pair[0].0, to: pair[1].0 })
            .max_by_key(|silence| silence.to - silence.from)
    }

    /// Numbers that were acknowledged and are not among these.
    #[must_use]
    pub fn lost(&self, present: &BTreeSet<i64>) -> Vec<i64> {
        self.0.iter().map(|(_, number)| *number).filter(|number| !present.contains(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str = "100 ok 1\n110 ok 2\n1110 silent 3\n1200 none answers\n\
                           1300 failed 4 db error\n1400 ok 5\n1500 ok 6\n1600 ok";

    #[test]
    fn the_longest_silence_after_a_fault() {
        let acknowledged = Acknowledged::parse(HISTORY);
        assert_eq!((acknowledged.len(), acknowledged.last()), (4, Some(1500)));
        for (fault, expected) in [
            (50, Some(Silence { from: 110, to: 1400 })),
            (200, Some(Silence { from: 110, to: 1400 })),
            (1450, Some(Silence { from: 1400, to: 1500 })),
            (1500, None),
        ] {
            assert_eq!(acknowledged.silence(fault), expected, "{fault}");
        }
    }

    #[test]
    fn only_what_was_acknowledged_can_be_lost() {
        let lost = |present: &[i64]| Acknowledged::parse(HISTORY).lost(&present.iter().copied().collect());
        assert_eq!(lost(&[1, 2, 5, 6]), [0; 0]);
        assert_eq!(lost(&[1, 2, 3, 4, 6]), [5]);
    }
}
