//! How progress, warnings and results reach the user: bars on a terminal, calm lines elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Instant;

use geminios_model::{Progress, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::args::When;

/// Progress on standard error.
pub struct Terminal {
    bars: Option<MultiProgress>,
    stages: Mutex<HashMap<String, Stage>>,
    color: bool,
    quiet: bool,
}

struct Stage {
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Terminal {
    /// Bars if standard error is a terminal, lines if not, nothing if `quiet`.
    pub fn new(color: When, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let wished = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Terminal {
            bars: (terminal && !quiet && std::env::var_os("CI").is_none()).then(MultiProgress::new),
            stages: Mutex::default(),
            color: match color {
                When::Always => true,
                When::Never => false,
                When::Auto => wished,
            },
            quiet,
        }
    }

    /// Whether messages are coloured.
    pub fn color(&self) -> bool {
        self.color
    }

    /// A line for the user, above the bars.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.line(line);
        }
    }

    fn line(&self, line: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(line);
            }
            None => {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }

    fn stages(&self) -> std::sync::MutexGuard<'_, HashMap<String, Stage>> {
        self.stages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Terminal {
    fn begin(&self, stage: &str, total: u64, unit: Unit) {
        let bar = self.bars.as_ref().map(|bars| {
            let template = match (unit, total) {
                (_, 0) => "{prefix:>9} {spinner} {elapsed}",
                (Unit::Bytes, _) => "{prefix:>9} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                (Unit::Items, _) => "{prefix:>9} [{bar:30}] {pos}/{len} {eta}",
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            let bar = bars.add(ProgressBar::new(total)).with_style(style).with_prefix(stage.to_owned());
            bar.enable_steady_tick(std::time::Duration::from_millis(200));
            bar
        });
        if bar.is_none() && !self.quiet && unit == Unit::Bytes && total > 50_000_000 {
            self.line(&format!("{stage:>9}  {} to do", megabytes(total)));
        }
        self.stages().insert(stage.to_owned(), Stage { bar, begun: Instant::now() });
    }

    fn advance(&self, stage: &str, units: u64) {
        if let Some(Stage { bar: Some(bar), .. }) = self.stages().get(stage) {
            bar.inc(units);
        }
    }

    fn end(&self, stage: &str, summary: &str) {
        let found = self.stages().remove(stage);
        let seconds = found.as_ref().map_or(0.0, |s| s.begun.elapsed().as_secs_f64());
        if let (Some(bars), Some(Stage { bar: Some(bar), .. })) = (&self.bars, found) {
            bar.finish_and_clear();
            bars.remove(&bar);
        }
        if !self.quiet {
            let name = paint(self.color, "1;32", &format!("{stage:>9}"));
            self.line(&format!("{name}  {summary} ({seconds:.1} s)"));
        }
    }

    fn warn(&self, message: &str) {
        self.line(&format!("{}: {message}", paint(self.color, "1;33", "warning")));
    }
}

/// Text in an ANSI colour, or as it is.
pub fn paint(color: bool, code: &str, text: &str) -> String {
    if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Bytes as people read them: `224.1 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..10_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
