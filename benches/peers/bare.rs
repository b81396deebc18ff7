//! The least that a server can do: whatever frames the first connection sends go to all others, by one `send` each, or merged.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
};

const LISTENER: u64 = u64::MAX;

fn main() -> anyhow::Result<()> {
    let merges = std::env::args().nth(1).as_deref() == Some("merged");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let (mut events, mut buffer, mut held) = (Vec::with_capacity(64), vec![0; 1 << 18], 0);
    loop {
        events.clear();
        let minute = Timespec::try_from(Duration::from_mins(1))?;
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&minute))?;
        for event in &events {
            if event.data.u64() == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                let index = connections.len() as u64;
                epoll::add(&epoll, &stream, EventData::new_u64(index), EventFlags::IN)?;
                connections.push(stream);
                continue;
            }
            let index = usize::try_from(event.data.u64())?;
            let read = (&connections[index]).read(&mut buffer[held..])?;
            if index > 0 {
                epoll::delete(&epoll, &connections[index])?;
                continue;
            }
            if read == 0 {
                return Ok(());
            }
            held += read;
            let whole = send_on(&connections[1..], &buffer[..held], merges)?;
            buffer.copy_within(whole..held, 0);
            held -= whole;
        }
    }
}

/// Sends the whole frames to everybody; how many bytes they are.
fn send_on(receivers: &[TcpStream], bytes: &[u8], merges: bool) -> anyhow::Result<usize> {
    let mut end = 0;
    while let Some(length) = frame_length(&bytes[end..]).filter(|it| end + it <= bytes.len()) {
        if !merges {
            send(receivers, &bytes[end..end + length])?;
        }
        end += length;
    }
    if merges && end > 0 {
        send(receivers, &bytes[..end])?;
    }
    Ok(end)
}

fn send(receivers: &[TcpStream], bytes: &[u8]) -> anyhow::Result<()> {
    for mut receiver in receivers {
        match receiver.write_all(bytes) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn frame_length(bytes: &[u8]) -> Option<usize> {
    Some(match bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        127 => 10 + usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        short => 2 + usize::from(*short),
    })
}
