//! How long a connection may wait for the head of a request, told to hyper as a clock.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use tokio::time;

use super::wire;

/// The clock of one connection. hyper has a single limit for a head, which it counts from the end of the request before; but a
/// client that keeps a connection for later does no harm, while one that begins a head and does not end it means some.
#[derive(Debug)]
pub(super) struct Pace {
    head: Duration,
    next_request: Duration,
    begun: AtomicBool,
}

impl Pace {
    pub(super) fn new(head: Duration, next_request: Duration) -> Self {
        Self {
            head,
            next_request,
            begun: AtomicBool::new(false),
        }
    }
}

impl Timer for Pace {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    /// hyper asks for this when it begins to wait for a head.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        wire::answered();
        if !self.begun.swap(true, Ordering::Relaxed) {
            return TokioTimer::new().sleep_until(deadline);
        }
        Box::pin(UntilHead {
            sleep: Box::pin(time::sleep(self.next_request)),
            head: self.head,
            begun: false,
        })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

/// Over when no head has begun in time, or when one has begun and did not end. hyper looks at it whenever something has arrived.
struct UntilHead {
    sleep: Pin<Box<time::Sleep>>,
    head: Duration,
    begun: bool,
}

impl Future for UntilHead {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.begun && wire::head_begun() {
            self.begun = true;
            let deadline = time::Instant::now() + self.head;
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

impl Sleep for UntilHead {}
