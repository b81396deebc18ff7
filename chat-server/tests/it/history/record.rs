//! What happened during a run, in the order in which it was seen, by one clock: kept for the checks, and written as JSON lines.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chat_core::model::{
    Change, ClientId, ConversationId, Entry, Message, MessageId, Seq, Status, UserId,
};
use parking_lot::Mutex;
use serde::Serialize;

/// One of the devices of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Who {
    pub user: UserId,
    pub device: u32,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Microseconds since the run began.
    pub at_us: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    #[serde(flatten)]
    pub what: What,
}

impl Line {
    pub fn at(&self) -> Duration {
        Duration::from_micros(self.at_us)
    }
}

/// By which way a message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// The outbox of the client library.
    Outbox,
    /// A call over REST, which the caller repeats.
    Rest,
}

/// What somebody did that is not a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    Invite {
        target: UserId,
    },
    Remove {
        target: UserId,
    },
    /// A removal for good, until it is lifted.
    Ban {
        target: UserId,
    },
    LiftBan {
        target: UserId,
    },
    Edit {
        message: MessageId,
    },
    Delete {
        message: MessageId,
    },
    React {
        message: MessageId,
    },
    MarkRead {
        seq: Seq,
    },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// It did not happen.
    Fail(String),
    /// It happened or not.
    Info(String),
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum What {
    /// A send begins. Trying again is not a new beginning.
    Send {
        conversation: ConversationId,
        client_id: ClientId,
        body: String,
        lane: Lane,
    },
    /// The server says that it has it.
    Sent {
        message: Said,
        conversation: ConversationId,
        seq: Seq,
        lane: Lane,
    },
    /// The server will not have it.
    SendFailed {
        conversation: ConversationId,
        client_id: ClientId,
        why: String,
        /// An attempt before this had no answer.
        doubtful: bool,
    },
    Asked {
        call: u64,
        conversation: ConversationId,
        #[serde(flatten)]
        act: Act,
    },
    Answered {
        call: u64,
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// From here on this device is told what comes after this place.
    Open {
        conversation: ConversationId,
        after: Seq,
    },
    Told {
        conversation: ConversationId,
        entry: Seen,
    },
    /// And from here on it is not.
    Closed {
        conversation: ConversationId,
    },
    Link {
        online: bool,
        detail: String,
    },
    /// The server says that this device of the same user is signed out.
    SignOut {
        device: u32,
    },
    Presence {
        of: UserId,
        status: Status,
    },
    Fault {
        number: u64,
        what: String,
        begins: bool,
    },
    Phase {
        phase: String,
    },
}

/// A message, as far as it does not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    pub id: MessageId,
    pub client_id: ClientId,
    pub sender: UserId,
    pub body: String,
}

impl Said {
    pub fn of(message: &Message) -> Self {
        Self {
            id: message.id,
            client_id: message.client_id,
            sender: message.sender_id,
            body: message.body.clone(),
        }
    }
}

/// An entry of a log, as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub seq: Seq,
    pub kind: String,
    /// The place of the message that it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<Seq>,
    /// Of a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// Who came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<UserId>,
}

impl Seen {
    pub fn of(entry: &Entry) -> Self {
        let kind = serde_json::to_value(&entry.change).unwrap()["type"].clone();
        let member = match &entry.change {
            Change::MemberJoined { user_id, .. } | Change::MemberLeft { user_id, .. } => {
                Some(*user_id)
            }
            _ => None,
        };
        Self {
            seq: entry.seq,
            kind: kind.as_str().unwrap().to_owned(),
            about: entry.about(),
            said: entry.message().map(Said::of),
            member,
        }
    }
}

/// Everything that happened so far.
#[derive(Debug)]
pub struct Record {
    began: Instant,
    pub path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    lines: Vec<Line>,
    file: BufWriter<File>,
    calls: u64,
}

impl Record {
    pub fn begin(path: &Path) -> Self {
        Self {
            began: Instant::now(),
            path: path.to_owned(),
            kept: Mutex::new(Kept {
                lines: Vec::new(),
                file: BufWriter::new(File::create(path).unwrap()),
                calls: 0,
            }),
        }
    }

    pub fn note(&self, who: Option<Who>, what: What) {
        let mut kept = self.kept.lock();
        // Under the lock, so that the order of the lines is that of their times.
        let at_us = u64::try_from(self.began.elapsed().as_micros()).unwrap();
        let line = Line { at_us, who, what };
        serde_json::to_writer(&mut kept.file, &line).unwrap();
        kept.file.write_all(b"\n").unwrap();
        kept.lines.push(line);
    }

    pub fn phase(&self, phase: &str) {
        let phase = phase.to_owned();
        self.note(None, What::Phase { phase });
    }

    /// Somebody asks for something; the number is for the answer.
    pub fn asks(&self, who: Who, conversation: ConversationId, act: Act) -> u64 {
        let call = {
            let mut kept = self.kept.lock();
            kept.calls += 1;
            kept.calls
        };
        self.note(
            Some(who),
            What::Asked {
                call,
                conversation,
                act,
            },
        );
        call
    }

    pub fn answered(&self, who: Who, call: u64, outcome: Outcome) {
        self.note(Some(who), What::Answered { call, outcome });
    }

    pub fn lines(&self) -> Vec<Line> {
        let mut kept = self.kept.lock();
        kept.file.flush().unwrap();
        kept.lines.clone()
    }
}
