//! Simulated processes: a runtime whose tasks belong to one each, so that a process can be halted and killed at any moment,
//! as a real one can. Tasks outside of any process are the test itself, and never stop.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};

/// A process. It lives until it is killed.
#[derive(Debug, Default)]
pub(super) struct Process(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    condition: Condition,
    next_task: u64,
    /// Every task that has not ended.
    tasks: BTreeMap<u64, Waker>,
    panic: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Condition {
    #[default]
    Running,
    Halted,
    Dead,
}

/// The process ended before it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Process>>> = const { RefCell::new(None) };
}

impl Process {
    /// Runs something in this process.
    pub(super) fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        drop(SimRuntime::spawn(Scheduled::new(Some(Arc::clone(self)), future)));
    }

    /// Runs something in this process and waits for what comes of it.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Gone> {
        let (tell, told) = oneshot::channel();
        self.spawn(async move {
            drop(tell.send(future.await));
        });
        told.await.map_err(|_| Gone)
    }

    /// Stops it where it is; its clock goes on.
    pub(super) fn halt(&self) {
        self.change(Condition::Halted);
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.change(Condition::Running);
    }

    /// Ends it: no task of it runs any further, not even to its next wait.
    pub(super) fn kill(&self) {
        self.change(Condition::Dead);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.inner().condition == Condition::Dead
    }

    pub(super) fn is_halted(&self) -> bool {
        self.inner().condition == Condition::Halted
    }

    /// What the first panic in it said: a real process would have ended there.
    pub(super) fn panic(&self) -> Option<String> {
        self.inner().panic.clone()
    }

    fn change(&self, condition: Condition) {
        let wakers: Vec<Waker> = {
            let mut inner = self.inner();
            if inner.condition != Condition::Dead {
                inner.condition = condition;
            }
            inner.tasks.values().cloned().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task of a process.
struct Scheduled<F> {
    process: Option<Arc<Process>>,
    number: Option<u64>,
    future: Option<Pin<Box<F>>>,
}

impl<F> Scheduled<F> {
    fn new(process: Option<Arc<Process>>, future: F) -> Self {
        Self {
            process,
            number: None,
            future: Some(Box::pin(future)),
        }
    }
}

/// The process whose task is being polled, until this is dropped.
struct Entered(Option<Arc<Process>>);

impl Entered {
    fn new(process: Option<&Arc<Process>>) -> Self {
        Self(CURRENT.replace(process.cloned()))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl<F: Future> Future for Scheduled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = Entered::new(this.process.as_ref());
        if let Some(process) = &this.process {
            let condition = {
                let mut inner = process.inner();
                if this.number.is_none() {
                    this.number = Some(inner.next_task);
                    inner.next_task += 1;
                    let number = inner.next_task - 1;
                    inner.tasks.insert(number, context.waker().clone());
                }
                inner.condition
            };
            match condition {
                Condition::Running => {}
                Condition::Halted => return Poll::Pending,
                Condition::Dead => {
                    drop(this.future.take());
                    return Poll::Pending;
                }
            }
        }
        let Some(future) = &mut this.future else {
            return Poll::Pending;
        };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        let polled = polled.unwrap_or_else(|panic| {
            if let Some(process) = &this.process {
                process.inner().panic.get_or_insert(said(&*panic));
            }
            resume_unwind(panic)
        });
        if let (Some(process), Some(number), true) = (&this.process, this.number, polled.is_ready()) {
            process.inner().tasks.remove(&number);
        }
        polled
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("something that is no text").to_owned()
}

/// The simulator's runtime, with each task in the process of the one that started it.
#[derive(Debug)]
pub(super) struct ProcessRuntime;

impl AsyncRuntime for ProcessRuntime {
    type JoinError = <SimRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: Send + 'static> = <SimRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <SimRuntime as AsyncRuntime>::Sleep;
    type Instant = SimInstant;
    type TimeoutError = <SimRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + Send> = <SimRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <SimRuntime as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <SimRuntime as AsyncRuntime>::Mpsc;
    type Watch = <SimRuntime as AsyncRuntime>::Watch;
    type Oneshot = <SimRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: Send + 'static> = <SimRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        let process = CURRENT.with_borrow(Clone::clone);
        SimRuntime::spawn(Scheduled::new(process, future))
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        SimRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        SimRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + Send>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        SimRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + Send>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        SimRuntime::timeout_at(deadline, future)
    }

    fn is_panic(error: &Self::JoinError) -> bool {
        SimRuntime::is_panic(error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        SimRuntime::thread_rng()
    }

    fn new(_threads: usize) -> Self {
        Self
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        SimRuntime::run(future)
    }

    fn spawn_blocking<F, T>(work: F) -> impl Future<Output = io::Result<T>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        SimRuntime::spawn_blocking(work)
    }
}
