//! Many receivers in one thread: reads whoever has something, counts frames, and notices what is missing.

use std::{
    io::{self, ErrorKind, Read},
    net::TcpStream,
    os::fd::OwnedFd,
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
};

use crate::{frames::Frames, peers::Dialect};

/// From here on, what is ready is no receiver.
const OTHERS: u64 = 1 << 32;
const BUFFER: usize = 256 * 1_024;
/// How much a slow receiver reads at once.
const BITE: usize = 1_024;

/// One who receives.
#[derive(Debug)]
struct Receiver {
    stream: TcpStream,
    frames: Frames,
    /// The number that comes next, if nothing is missing.
    next: u64,
}

/// What was received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) deliveries: u64,
    pub(crate) reads: u64,
    pub(crate) bytes: u64,
    /// Numbers that were passed over.
    pub(crate) missing: u64,
    /// Numbers that came a second time, or after a later one.
    pub(crate) late: u64,
}

/// Receivers of one room.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    events: Vec<Event>,
    buffer: Vec<u8>,
    receivers: Vec<Receiver>,
    /// Those at the end of the list read slowly.
    slow: usize,
    dialect: Dialect,
    pub(crate) tally: Tally,
}

/// A message that reached somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) receiver: usize,
    pub(crate) number: u64,
    pub(crate) head: &'a [u8],
}

impl Crowd {
    pub(crate) fn new(dialect: Dialect) -> anyhow::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1_024),
            buffer: vec![0; BUFFER],
            receivers: Vec::new(),
            slow: 0,
            dialect,
            tally: Tally::default(),
        })
    }

    /// One more, who is to get the message with this number next, and has been sent these bytes.
    pub(crate) fn add(&mut self, stream: TcpStream, next: u64, early: &[u8]) -> anyhow::Result<()> {
        let index = self.receivers.len() as u64;
        stream.set_nonblocking(true)?;
        epoll::add(
            &self.epoll,
            &stream,
            EventData::new_u64(index),
            EventFlags::IN,
        )?;
        let mut frames = Frames::default();
        frames.read(early, |_, _| {});
        self.receivers.push(Receiver {
            stream,
            frames,
            next,
        });
        Ok(())
    }

    /// Watches another connection, which is told of as `other`.
    pub(crate) fn watch(&self, stream: &TcpStream, other: usize) -> anyhow::Result<()> {
        stream.set_nonblocking(true)?;
        let data = EventData::new_u64(OTHERS + other as u64);
        Ok(epoll::add(&self.epoll, stream, data, EventFlags::IN)?)
    }

    /// Lets a fifth of them read in small bites.
    pub(crate) fn make_some_slow(&mut self) -> anyhow::Result<()> {
        self.slow = self.receivers.len() / 5;
        for receiver in &self.receivers[self.prompt()..] {
            epoll::delete(&self.epoll, &receiver.stream)?;
        }
        Ok(())
    }

    /// How many read as soon as they can.
    pub(crate) fn prompt(&self) -> usize {
        self.receivers.len() - self.slow
    }

    /// How many messages all have, counted from the number `first`.
    pub(crate) fn all_have(&self, first: u64) -> u64 {
        let next = self.receivers.iter().map(|it| it.next).min();
        next.map_or(0, |next| next.saturating_sub(first))
    }

    /// Reads what there is, waiting for `timeout` at most; calls `each` for every message, and `other` for each other connection
    /// that is ready. Whether anything was.
    pub(crate) fn poll(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(Delivery<'_>),
        mut other: impl FnMut(usize),
    ) -> anyhow::Result<bool> {
        self.events.clear();
        let timeout = Timespec::try_from(timeout)?;
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let ready = event.data.u64();
            if ready >= OTHERS {
                other(usize::try_from(ready - OTHERS)?);
                continue;
            }
            let index = usize::try_from(ready)?;
            let receiver = &mut self.receivers[index];
            take(
                receiver,
                index,
                &mut self.buffer,
                self.dialect,
                &mut self.tally,
                &mut each,
            )?;
        }
        Ok(!self.events.is_empty())
    }

    /// Lets each of the slow ones read a bite.
    pub(crate) fn bite(&mut self) -> anyhow::Result<()> {
        let prompt = self.prompt();
        for (index, receiver) in self.receivers.iter_mut().enumerate().skip(prompt) {
            take(
                receiver,
                index,
                &mut self.buffer[..BITE],
                self.dialect,
                &mut self.tally,
                &mut |_| {},
            )?;
        }
        Ok(())
    }

    /// Lets the slow ones read like the others from here on.
    pub(crate) fn make_all_prompt(&mut self) -> anyhow::Result<()> {
        for (index, receiver) in self.receivers.iter().enumerate().skip(self.prompt()) {
            let data = EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &receiver.stream, data, EventFlags::IN)?;
        }
        self.slow = 0;
        Ok(())
    }
}

fn take(
    receiver: &mut Receiver,
    index: usize,
    buffer: &mut [u8],
    dialect: Dialect,
    tally: &mut Tally,
    each: &mut impl FnMut(Delivery<'_>),
) -> anyhow::Result<()> {
    let read = match receiver.stream.read(buffer) {
        Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    tally.reads += 1;
    tally.bytes += read as u64;
    let next = &mut receiver.next;
    receiver.frames.read(&buffer[..read], |head, _| {
        let Some(number) = dialect.number(head) else {
            return;
        };
        tally.deliveries += 1;
        if number < *next {
            tally.late += 1;
        } else {
            tally.missing += number - *next;
            *next = number + 1;
        }
        each(Delivery {
            receiver: index,
            number,
            head,
        });
    });
    Ok(())
}
