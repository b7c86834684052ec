//! Work that the system may hold up for ever, such as a look at a file on a server that has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

/// Does one piece of work at a time, each on a thread of its own: one that hangs holds up neither a pool's
/// other work nor the end of the process, and no more are begun behind it.
#[derive(Debug)]
pub(super) struct Apart {
    within: Duration,
    is_busy: Arc<AtomicBool>,
}

/// Is over when it is dropped, also by a panic.
struct UnderWay(Arc<AtomicBool>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Apart {
    /// Waits for each answer at most `within`.
    pub(super) fn new(within: Duration) -> Self {
        Self { within, is_busy: Arc::default() }
    }

    /// Returns what `work` comes to; `None` where that takes too long, or what was begun before does.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.is_busy.swap(true, Ordering::Acquire) {
            return None;
        }
        let under_way = UnderWay(Arc::clone(&self.is_busy));
        let (tell, told) = oneshot::channel();
        let begin = move || {
            let answer = work();
            drop(under_way);
            let _ = tell.send(answer);
        };
        std::thread::Builder::new().name("settings".to_owned()).spawn(begin).ok()?;
        tokio::time::timeout(self.within, told).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[actix_web::rt::test]
    async fn what_hangs_is_one_thread_whatever_is_asked_and_what_panics_is_over() {
        let mut apart = Apart::new(Duration::from_secs(10));
        assert_eq!(apart.run(|| 1).await, Some(1));
        let (let_go, held) = channel::<()>();
        apart.within = Duration::from_millis(1);
        assert_eq!(apart.run(move || held.recv().is_ok()).await, None, "past its time");
        assert_eq!(apart.run(|| 2).await, None, "the first one still hangs");
        drop(let_go);
        apart.within = Duration::from_secs(10);
        while apart.is_busy.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(apart.run(|| std::panic::panic_any(())).await, None::<()>);
        assert_eq!(apart.run(|| 3).await, Some(3));
    }
}
