//! Run on a node: commits as quickly as its PostgreSQL takes them, and says how long each took.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio_postgres::NoTls;

/// As root of the node is let in.
const SERVER: &str = "host=/run/postgresql user=postgres dbname=postgres";
const TABLE: &str = "create table if not exists commits (content bytea)";
/// About what Kine adds for a small object.
const CONTENT: [u8; 500] = [b'x'; 500];

/// `commits WRITERS SECONDS`: prints microseconds, a line for each.
///
/// # Errors
/// Wrong words; the server is not there, or ends meanwhile.
pub fn run(words: &[&str]) -> Result<String> {
    let [writers, seconds] = words else { bail!("{words:?}: not `WRITERS SECONDS`") };
    let (writers, seconds): (usize, u64) = (writers.parse()?, seconds.parse()?);
    work(Duration::ZERO)?;
    let threads: Vec<_> =
        (0..writers).map(|_| thread::spawn(move || work(Duration::from_secs(seconds)))).collect();
    let mut out = String::new();
    for thread in threads {
        for took in thread.join().map_err(|_| anyhow!("a writer ended"))?? {
            let _ = writeln!(out, "{took}");
        }
    }
    Ok(out)
}

fn work(time: Duration) -> Result<Vec<u64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(commit(time))
}

async fn commit(time: Duration) -> Result<Vec<u64>> {
    let (client, connection) = tokio_postgres::connect(SERVER, NoTls).await.context(SERVER)?;
    tokio::spawn(connection);
    client.batch_execute(TABLE).await?;
    let insert = client.prepare("insert into commits values ($1)").await?;
    let begun = Instant::now();
    let mut took = Vec::new();
    while begun.elapsed() < time {
        let one = Instant::now();
        client.execute(&insert, &[&CONTENT.as_slice()]).await?;
        took.push(u64::try_from(one.elapsed().as_micros())?);
    }
    Ok(took)
}
