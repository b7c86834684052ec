//! A few detached threads, each with one connection, that work off one bounded queue.
//!
//! The calls of the libraries block and cannot be cut. A thread that hangs in one (a server that
//! was stopped, a network that swallows packets) is abandoned and replaced; it ends by itself
//! when its call returns. Nobody ever joins these threads, so none can hold up the exit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::connection::{Connection, Opener, Purpose};
use super::failure::Failure;
use super::purges;
use crate::clock::SharedClock;
use crate::model::Purges;

/// Most jobs waiting for a thread of a crew.
const MAX_WAITING: usize = 1_024;
/// Most threads that hang at one time; past it they are no longer replaced.
const MAX_ABANDONED: usize = 32;

/// Something to do with a connection.
pub(super) trait Job: Send {
    /// Tells whether anybody still waits for it.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Does it, or is told why there is no connection; returns what that says of the connection.
    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure>;
}

/// A job whose asker waits for an answer.
pub(super) struct Question<T, F> {
    pub(super) reply: oneshot::Sender<Result<T, Failure>>,
    pub(super) work: F,
}

impl<T, F> Job for Question<T, F>
where
    T: Send,
    F: FnOnce(&mut Connection) -> Result<T, Failure> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, connection: Result<&mut Connection, Failure>) -> Result<(), Failure> {
        let Self { reply, work } = *self;
        let answer = connection.and_then(work);
        let outcome = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        // Fails only when the asker has left meanwhile.
        let _ = reply.send(answer);
        outcome
    }
}

/// What the crews of one database share.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) opener: Opener,
    pub(super) clock: SharedClock,
    /// Hears of the purges recorded in the database before any lookup of a new connection.
    pub(super) purges: Purges,
    /// Why the file can no longer be used, once that is so.
    pub(super) damage: OnceLock<String>,
    /// Threads that hang and were replaced.
    pub(super) abandoned: AtomicUsize,
}

/// The threads of one purpose.
pub(super) struct Crew {
    shared: Arc<Shared>,
    workers: Mutex<Vec<Arc<Worker>>>,
    size: usize,
}

struct Shared {
    purpose: Purpose,
    ground: Arc<Ground>,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

#[derive(Default)]
struct Worker(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    due: Option<Instant>,
    abandoned: bool,
}

impl Crew {
    /// Starts `size` threads. They open their connections at once, and again when they have
    /// something to do.
    pub(super) fn start(purpose: Purpose, size: usize, ground: Arc<Ground>) -> Self {
        let shared = Shared { purpose, ground, queue: Mutex::default(), arrived: Condvar::new() };
        let crew = Self { shared: Arc::new(shared), workers: Mutex::default(), size: size.max(1) };
        crew.replace_stuck();
        crew
    }

    /// Queues `job`; returns false, and drops it, when too many wait.
    pub(super) fn push(&self, job: Box<dyn Job>) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.jobs.len() >= MAX_WAITING {
            queue.jobs.retain(|job| job.is_wanted());
        }
        let has_room = queue.jobs.len() < MAX_WAITING;
        if has_room {
            queue.jobs.push_back(job);
            self.shared.arrived.notify_one();
        }
        // A refused job is dropped after the lock: its drop may want to queue another.
        drop(queue);
        has_room
    }

    /// Abandons threads whose job should long be done, and starts those that are missing;
    /// returns how many were abandoned.
    pub(super) fn replace_stuck(&self) -> usize {
        let ground = &self.shared.ground;
        let now = ground.clock.now();
        let mut workers = self.workers.lock();
        let before = workers.len();
        workers.retain(|worker| {
            let mut progress = worker.0.lock();
            let is_stuck = progress.due.is_some_and(|due| now > due)
                && ground.abandoned.load(Ordering::Relaxed) < MAX_ABANDONED;
            if is_stuck {
                progress.abandoned = true;
                ground.abandoned.fetch_add(1, Ordering::Relaxed);
            }
            !is_stuck
        });
        let num_abandoned = before - workers.len();
        if num_abandoned > 0 {
            tracing::warn!(
                level = "L3",
                threads = num_abandoned,
                "database threads hang, replaced"
            );
        }
        while workers.len() < self.size {
            let worker = Arc::new(Worker::default());
            let (shared, own) = (Arc::clone(&self.shared), Arc::clone(&worker));
            let name = match self.shared.purpose {
                Purpose::Reading => "l3-read",
                Purpose::Writing => "l3-write",
                Purpose::Conversing => "conversations",
            };
            let started = thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || shared.work_until_closed(&own));
            if let Err(error) = started {
                // Tried again the next time this is called.
                tracing::warn!(level = "L3", %error, "failed to start a database thread");
                break;
            }
            workers.push(worker);
        }
        num_abandoned
    }

    /// Lets the threads end when the queue is empty.
    pub(super) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn work_until_closed(&self, worker: &Worker) {
        // Before anybody asks: opening takes longer than a lookup waits. If it fails, whatever is
        // asked next says so.
        let mut connection = self.open(worker).ok();
        worker.0.lock().due = None;
        while let Some(job) = self.next(worker) {
            connection = self.serve(worker, job, connection.take());
            worker.0.lock().due = None;
        }
        if worker.0.lock().abandoned {
            self.ground.abandoned.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits for a job that somebody wants; `None` when the thread should end.
    fn next(&self, worker: &Worker) -> Option<Box<dyn Job>> {
        let mut queue = self.queue.lock();
        loop {
            if worker.0.lock().abandoned {
                return None;
            }
            while let Some(job) = queue.jobs.pop_front() {
                if job.is_wanted() {
                    return Some(job);
                }
            }
            if queue.closed {
                return None;
            }
            self.arrived.wait(&mut queue);
        }
    }

    /// Runs `job`; returns the connection if it can be used again.
    fn serve(
        &self,
        worker: &Worker,
        job: Box<dyn Job>,
        connection: Option<Connection>,
    ) -> Option<Connection> {
        if let Some(why) = self.ground.damage.get() {
            let why = why.clone();
            let _ = catch_unwind(AssertUnwindSafe(|| job.run(Err(Failure::FileDamaged(why)))));
            return None;
        }
        let connection = match connection {
            Some(open) => Ok(open),
            None => self.open(worker),
        };
        let mut open = match connection {
            Ok(open) => open,
            Err(failure) => {
                let _ = catch_unwind(AssertUnwindSafe(|| job.run(Err(failure))));
                return None;
            }
        };
        if !job.is_wanted() {
            return Some(open);
        }
        self.expect_end(worker, self.ground.opener.job_at_most(self.purpose));
        match catch_unwind(AssertUnwindSafe(|| job.run(Ok(&mut open)))) {
            Ok(Ok(())) => Some(open),
            Ok(Err(Failure::FileDamaged(why))) => {
                self.give_up_file(why);
                None
            }
            // After a panic nobody knows what state the connection is in.
            Ok(Err(Failure::Lost(_))) | Err(_) => None,
            Ok(Err(_)) => (!open.is_broken()).then_some(open),
        }
    }

    fn open(&self, worker: &Worker) -> Result<Connection, Failure> {
        let ground = &self.ground;
        self.expect_end(worker, ground.opener.open_at_most());
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let mut open = ground.opener.open(self.purpose, ground.clock.wall_ms())?;
            if self.purpose == Purpose::Reading {
                let at_most = ground.opener.open_at_most();
                let (records, _) = purges::since(&mut open, 0)
                    .map_err(|error| Failure::of_statement(&error, at_most))?;
                ground.purges.merge_all(&records);
            }
            Ok(open)
        }));
        match opened {
            Ok(Err(Failure::FileDamaged(why))) => {
                self.give_up_file(why.clone());
                Err(Failure::FileDamaged(why))
            }
            // Without a connection there is nothing that could be refused again and again.
            Ok(Err(Failure::Refused(why))) => Err(Failure::Lost(why)),
            Ok(other) => other,
            Err(_) => Err(Failure::Lost("opening it failed inside the gateway".to_owned())),
        }
    }

    fn give_up_file(&self, why: String) {
        tracing::error!(level = "L3", error = why, "the database file is damaged: level off");
        // The first reason stays. Set before the file is marked, which may take its time.
        let _ = self.ground.damage.set(why);
        self.ground.opener.note_damage();
    }

    fn expect_end(&self, worker: &Worker, at_most: Duration) {
        worker.0.lock().due = self.ground.clock.now().checked_add(at_most);
    }
}
