use std::{
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
    time::Duration,
};

use geminios_failover_core::{Goal, Postgres};
use tokio::sync::Notify;

use crate::{Error, Metrics, Moment, Service, Settings, error::At, processes, worker::Worker};

/// What PostgreSQL was seen to be, while it was brought to the goal of this number.
///
/// Whoever takes reports has to drop those of an older number than that of its newest [`Driver::aim`]: "each commit waits" of before may
/// not be true any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub aim: u64,
    pub postgres: Postgres,
}

/// A thread that brings PostgreSQL to its goal. Without a goal it only looks. When it is dropped, what it began is ended, and
/// PostgreSQL stays as it is.
pub struct Driver {
    inbox: Arc<Inbox>,
    metrics: Arc<Mutex<Metrics>>,
    thread: Option<JoinHandle<()>>,
    data: std::path::PathBuf,
    patience: Duration,
}

/// What is wanted.
pub(crate) struct Inbox {
    wanted: Mutex<Wanted>,
    pub wake: Arc<Notify>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub aim: u64,
    pub goal: Option<Goal>,
    pub closing: bool,
}

impl Inbox {
    pub fn wanted(&self) -> Wanted {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Driver {
    /// Begins to look. `report` and `phase` are called from the driver's thread and must not block.
    ///
    /// # Errors
    /// Settings that cannot be, and a folder of its own that cannot be written to.
    pub fn start(
        settings: Settings,
        service: Box<dyn Service>,
        report: impl Fn(Report) + Send + 'static,
        phase: impl Fn(Moment) + Send + 'static,
    ) -> Result<Driver, Error> {
        settings.check()?;
        let inbox = Arc::new(Inbox { wanted: Mutex::default(), wake: Arc::new(Notify::new()) });
        let metrics = Arc::new(Mutex::new(Metrics::default()));
        let (data, patience) = (settings.data.clone(), settings.limits.immediate);
        let own = settings.own.clone();
        let mut worker = Worker::new(
            settings,
            service,
            inbox.clone(),
            metrics.clone(),
            Box::new(report),
            Box::new(phase),
        )?;
        let thread =
            std::thread::Builder::new().name("postgres".into()).spawn(move || worker.run()).at(&own)?;
        Ok(Driver { inbox, metrics, thread: Some(thread), data, patience })
    }

    /// Sets the goal. The number returned is in the reports about it.
    pub fn aim(&self, goal: Goal) -> u64 {
        let aim = {
            let mut wanted = self.inbox.lock();
            wanted.aim += 1;
            wanted.goal = Some(goal);
            wanted.aim
        };
        self.inbox.wake.notify_one();
        if goal == (Goal::Stopped { clean: false }) {
            self.make_sure(aim);
        }
        aim
    }

    /// Should the driver itself hang in the disk, the processes are killed all the same; none of this touches a file.
    fn make_sure(&self, aim: u64) {
        let (inbox, data, patience) = (self.inbox.clone(), self.data.clone(), self.patience);
        let sure = move || {
            std::thread::sleep(patience * 2);
            while inbox.wanted().aim == aim && !inbox.wanted().closing && !processes::living(&data).is_empty()
            {
                processes::kill(&data);
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        let _ = std::thread::Builder::new().name("postgres-kill".into()).spawn(sure);
    }

    /// False once the thread has panicked: nobody looks any more, and the agent has to end.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Figures of the last look.
    pub fn metrics(&self) -> Metrics {
        self.metrics.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.inbox.lock().closing = true;
        self.inbox.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
