//! The reset line, with wires that are as they may be.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Chip, Fence, Gpio, Line, Lines, Outcome, Power};

const HOLD: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// What is wired.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wires {
    /// The reset line, and a line back.
    Both,
    ResetOnly,
    /// The reset line's plug is out: the other board runs on, and its line back says so.
    ResetPulled,
    /// Something else drives the reset line.
    Stuck,
    /// The line belongs to another program.
    Taken,
    /// It runs once more, for some looks, after it was reset.
    Flaps,
}

/// The wires, since when the reset line is held, how often the line back was looked at and when it last said "runs".
type State = (Wires, Option<Instant>, usize, Option<Instant>);

#[derive(Clone)]
struct Board(Arc<Mutex<State>>);

impl Lines for Board {
    fn hold(&mut self) -> Result<(), String> {
        let mut board = self.0.lock().unwrap();
        if board.0 == Wires::Taken {
            return Err("taken".to_owned());
        }
        board.1.get_or_insert_with(Instant::now);
        Ok(())
    }
    fn reads_held(&self) -> Result<bool, String> {
        let board = self.0.lock().unwrap();
        Ok(board.1.is_some() && board.0 != Wires::Stuck)
    }
    fn runs(&self) -> Result<Option<bool>, String> {
        let mut board = self.0.lock().unwrap();
        board.2 += 1;
        let runs = match board.0 {
            Wires::ResetOnly | Wires::Stuck | Wires::Taken => None,
            Wires::ResetPulled => Some(true),
            Wires::Both => Some(board.1.is_none()),
            Wires::Flaps => Some((3..6).contains(&board.2)),
        };
        if runs == Some(true) {
            board.3 = Some(Instant::now());
        }
        Ok(runs)
    }
    fn release(&mut self) {
        self.0.lock().unwrap().1 = None;
    }
}

fn board(wires: Wires) -> (Board, Gpio<Board>) {
    let board = Board(Arc::new(Mutex::new((wires, None, 0, None))));
    (board.clone(), Gpio::new(board, HOLD))
}

impl Board {
    fn held_for(&self) -> Option<Duration> {
        self.0.lock().unwrap().1.map(|since| since.elapsed())
    }
}

#[test]
fn it_is_off_after_it_was_held_and_stays_held() {
    for wires in [Wires::Both, Wires::ResetOnly] {
        let (board, gpio) = board(wires);
        let cancel = Cancel::new().unwrap();
        let attempt = gpio.off(LONG, &cancel);
        assert_eq!(attempt.outcome, Outcome::SeenOff);
        assert!(board.held_for().unwrap() >= HOLD, "{wires:?}");
        assert_eq!(gpio.state(LONG, &cancel), Power::Off);
        gpio.release();
        assert_eq!(board.held_for(), None);
        assert_ne!(gpio.state(LONG, &cancel), Power::Off);
    }
}

#[test]
fn one_that_came_up_meanwhile_is_held_anew() {
    let (board, gpio) = board(Wires::Flaps);
    let attempt = gpio.off(LONG, &Cancel::new().unwrap());
    assert_eq!(attempt.outcome, Outcome::SeenOff);
    let last = board.0.lock().unwrap().3;
    assert!(last.expect("it ran again").elapsed() >= HOLD);
}

#[test]
fn what_speaks_against_it_counts() {
    for (wires, reason) in [
        (Wires::ResetPulled, "says that it runs"),
        (Wires::Stuck, "something drives it"),
        (Wires::Taken, "taken"),
    ] {
        let (_, gpio) = board(wires);
        let attempt = gpio.off(2 * HOLD, &Cancel::new().unwrap());
        assert!(matches!(&attempt.outcome, Outcome::Failed(why) if why.contains(reason)), "{attempt:?}");
    }
}

#[test]
fn too_short_a_time_proves_nothing() {
    let (board, gpio) = board(Wires::Both);
    let attempt = gpio.off(HOLD / 4, &Cancel::new().unwrap());
    assert!(matches!(attempt.outcome, Outcome::Unknown(_)), "{attempt:?}");
    assert!(board.held_for().is_some());
}

#[test]
fn cancelled_it_is_held_on() {
    let (board, gpio) = board(Wires::Both);
    let cancel = Cancel::new().unwrap();
    cancel.cancel();
    assert!(matches!(gpio.off(LONG, &cancel).outcome, Outcome::Unknown(_)));
    assert!(board.held_for().is_some());
}

#[test]
fn a_chip_that_is_not_there_is_an_error() {
    let line = || Line { chip: "/dev/null".into(), offset: 3, active_low: true };
    let gpio = Gpio::new(Chip::new(line(), None).unwrap(), HOLD);
    let attempt = gpio.off(LONG, &Cancel::new().unwrap());
    assert!(
        matches!(&attempt.outcome, Outcome::Failed(why) if why.contains("line 3 of /dev/null cannot be driven")),
        "{attempt:?}"
    );
    assert!(Chip::new(line(), Some(line())).is_err());
}
