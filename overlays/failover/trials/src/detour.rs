//! A way that takes longer than a cable, and may bring everything twice: between two ports of bridges.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// Longer than any frame.
const FRAME: usize = 65_536;

/// `NEAR FAR LATE [AGAIN]`: makes both ports, and carries each frame from one to the other after so many milliseconds, and AGAIN later once
/// more. Ends with its process.
///
/// # Errors
/// Wrong words; the ports cannot be made or used.
pub fn run(words: &[&str]) -> Result<()> {
    let (near, far, late, again) = match words {
        [near, far, late] => (near, far, late, None),
        [near, far, late, again] => (near, far, late, Some(again)),
        _ => bail!("{words:?}: not `NEAR FAR LATE [AGAIN]`"),
    };
    let time = |text: &str| text.parse().map(Duration::from_millis).with_context(|| text.to_owned());
    let late = time(late)?;
    let times: Vec<Duration> =
        [Some(late), again.map(|again| time(again)).transpose()?.map(|again| late + again)]
            .into_iter()
            .flatten()
            .collect();
    let port = |name: &str| -> Result<Arc<SyncDevice>> {
        Ok(Arc::new(DeviceBuilder::new().name(name).layer(Layer::L2).build_sync().context("a TAP port")?))
    };
    let (near, far) = (port(near)?, port(far)?);
    let back = {
        let (near, far, times) = (Arc::clone(&near), Arc::clone(&far), times.clone());
        spawn(move || carry(&far, &near, &times))
    };
    carry(&near, &far, &times)?;
    back.join().unwrap_or_else(|_| bail!("the way back has ended"))
}

fn carry(from: &SyncDevice, to: &Arc<SyncDevice>, times: &[Duration]) -> Result<()> {
    let queues: Vec<_> = times
        .iter()
        .map(|time| {
            let (queue, frames) = channel();
            let to = Arc::clone(to);
            spawn(move || deliver(&to, &frames));
            (*time, queue)
        })
        .collect();
    let mut frame = vec![0; FRAME];
    loop {
        let length = from.recv(&mut frame)?;
        for (time, queue) in &queues {
            queue.send((Instant::now() + *time, frame[..length].to_vec()))?;
        }
    }
}

fn deliver(to: &SyncDevice, frames: &Receiver<(Instant, Vec<u8>)>) {
    for (at, frame) in frames {
        sleep(at.saturating_duration_since(Instant::now()));
        // A port that is down loses it, as a cable would.
        let _ = to.send(&frame);
    }
}
