use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gpiocdev::Request;
use gpiocdev::line::{Offset, Value};

use super::{Attempt, Fence, Outcome, Power, Timeline};
use crate::Cancel;

/// The lines are read back so often while the reset line is held.
const LOOK: Duration = Duration::from_millis(20);

/// The wires to the other board.
pub trait Lines: Send {
    /// Asserts the reset line, and keeps it so until [`Lines::release`].
    fn hold(&mut self) -> Result<(), String>;
    /// Whether the reset line reads as asserted.
    fn reads_held(&self) -> Result<bool, String>;
    /// Whether the other board's own line (power good, a heartbeat LED) says that it runs; None if no such line is wired.
    fn runs(&self) -> Result<Option<bool>, String>;
    fn release(&mut self);
}

/// The other board's reset line. A board held in reset does nothing; as soon as it is let go it boots. So the line stays
/// asserted, also when an attempt is cancelled or fails, until [`Fence::release`] (which waits for an attempt that is under way: cancel that first); when the agent ends, the kernel lets go of it.
///
/// Without a line back ([`Chip::runs`]) it can only be seen that this board asserts the line, not that the wire is
/// in its place.
#[derive(Debug)]
pub struct Gpio<L = Chip> {
    lines: Mutex<(L, bool)>,
    time: Duration,
}

impl<L: Lines> Gpio<L> {
    /// `time`: so long the line is held and read back before the other board counts as off: as long as its
    /// regulators and reset circuit take, with much to spare.
    pub fn new(lines: L, time: Duration) -> Self {
        Gpio { lines: Mutex::new((lines, false)), time }
    }

    fn lock(&self) -> MutexGuard<'_, (L, bool)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: all is as it is when the other board is off.
    fn doubt(lines: &L) -> Option<String> {
        match lines.reads_held() {
            Ok(true) => {}
            Ok(false) => {
                return Some(
                    "the reset line reads as released although it is asserted: something drives it"
                        .to_owned(),
                );
            }
            Err(error) => return Some(error),
        }
        match lines.runs() {
            Ok(Some(true)) => Some("the other board's line says that it runs".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }
}

impl<L: Lines> Fence for Gpio<L> {
    fn off(&self, deadline: Duration, cancel: &Cancel) -> Attempt {
        let mut line = Timeline::begin();
        let until = Instant::now() + deadline;
        let mut lines = self.lock();
        if let Err(error) = lines.0.hold() {
            line.phase("assert", "failed");
            return line.end(Outcome::Failed(error));
        }
        lines.1 = true;
        line.phase("assert", "held");
        // From when on nothing spoke against it.
        let mut quiet = Instant::now();
        let mut last = None;
        loop {
            let now = Instant::now();
            match Self::doubt(&lines.0) {
                None if now - quiet >= self.time => {
                    line.phase("hold", "off");
                    return line.end(Outcome::SeenOff);
                }
                None => {}
                Some(doubt) => {
                    quiet = now;
                    last = Some(doubt);
                }
            }
            if cancel.is_cancelled() {
                line.phase("hold", "cancelled");
                return line.end(Outcome::Unknown("cancelled; the reset line is still held".to_owned()));
            }
            if now >= until {
                line.phase("hold", "not seen off");
                let short =
                    format!("the line has to be held for {:?} but the deadline is {deadline:?}", self.time);
                return line.end(match last {
                    Some(doubt) => Outcome::Failed(doubt),
                    None => Outcome::Unknown(short),
                });
            }
            cancel.sleep(LOOK.min(until - now));
        }
    }

    fn state(&self, _: Duration, _: &Cancel) -> Power {
        let lines = self.lock();
        match (lines.0.runs(), lines.1) {
            (Err(error), _) => Power::Unknown(error),
            (Ok(Some(true)), _) => Power::On,
            (Ok(_), true) => Self::doubt(&lines.0).map_or(Power::Off, Power::Unknown),
            (Ok(Some(false)), false) => Power::Off,
            (Ok(None), false) => {
                Power::Unknown("no line from the other board is wired, and its reset is not held".to_owned())
            }
        }
    }

    fn release(&self) {
        let mut lines = self.lock();
        lines.0.release();
        lines.1 = false;
    }
}

/// One line of a GPIO chip: `/dev/gpiochip0`, 17.
#[derive(Clone, Debug)]
pub struct Line {
    pub chip: PathBuf,
    pub offset: Offset,
    /// Asserted by a low level, as most reset lines are.
    pub active_low: bool,
}

/// Lines of GPIO character devices (kernel: userspace-api/gpio/chardev.rst, v2).
#[derive(Debug)]
pub struct Chip {
    reset: Line,
    held: Option<Request>,
    runs: Option<(Line, Request)>,
}

impl Chip {
    /// Does not touch the reset line yet.
    ///
    /// # Errors
    /// The line that says that the other board runs cannot be read.
    pub fn new(reset: Line, runs: Option<Line>) -> Result<Self, String> {
        let read = |line: Line| -> Result<_, String> {
            let mut builder = line.builder();
            let request = builder.as_input().request().map_err(|error| line.wrong("read", &error))?;
            Ok((line, request))
        };
        Ok(Chip { reset, held: None, runs: runs.map(read).transpose()? })
    }
}

impl Lines for Chip {
    fn hold(&mut self) -> Result<(), String> {
        if self.held.is_none() {
            let mut builder = self.reset.builder();
            let request = builder.as_output(Value::Active).request();
            self.held = Some(request.map_err(|error| self.reset.wrong("driven", &error))?);
        }
        Ok(())
    }

    fn reads_held(&self) -> Result<bool, String> {
        let held = self.held.as_ref().ok_or("the reset line is not held")?;
        let value = held.lone_value().map_err(|error| self.reset.wrong("read back", &error))?;
        Ok(value == Value::Active)
    }

    fn runs(&self) -> Result<Option<bool>, String> {
        let Some((line, request)) = &self.runs else { return Ok(None) };
        let value = request.lone_value().map_err(|error| line.wrong("read", &error))?;
        Ok(Some(value == Value::Active))
    }

    fn release(&mut self) {
        self.held = None;
    }
}

impl Line {
    fn builder(&self) -> gpiocdev::request::Builder {
        let mut builder = Request::builder();
        builder.on_chip(&self.chip).with_consumer("geminios-fence").with_line(self.offset);
        if self.active_low {
            builder.as_active_low();
        }
        builder
    }

    fn wrong(&self, what: &str, error: &gpiocdev::Error) -> String {
        let (chip, offset) = (self.chip.display(), self.offset);
        format!("line {offset} of {chip} cannot be {what}: {error}; gpioinfo says who has it")
    }
}
