//! The frames of the socket: one JSON object each, told apart by `type`.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{ErrorCode, Problem};
use crate::model::{
    Availability, ClientId, ConversationId, Entry, Message, MessageId, NodeId, Presence, Row, Seq,
    SessionId, StoreEpoch, UserId,
};

/// What a client sends: a command and, if it wants to tell the answers apart, a `ref`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientFrame {
    /// Echoed in exactly one `ack` or `error`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What to do.
    #[serde(flatten)]
    pub command: ClientCommand,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ClientCommand {
    /// Says who I am; later, renews the token in place.
    Authenticate {
        /// An access token.
        token: String,
    },
    /// From here on this conversation's log: replayed after `after_seq`, then live.
    JoinConversation {
        /// Which.
        conversation_id: ConversationId,
        /// Up to where I have it; absent for "from now on".
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_seq: Option<Seq>,
    },
    /// No more of this conversation's log.
    LeaveConversation {
        /// Which.
        conversation_id: ConversationId,
    },
    /// Says something; the same as the REST call.
    SendMessage {
        /// Where.
        conversation_id: ConversationId,
        /// The sender's name for this send.
        client_id: ClientId,
        /// What.
        body: String,
        /// What it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<MessageId>,
    },
    /// Moves my read cursor forward.
    MarkRead {
        /// Where.
        conversation_id: ConversationId,
        /// Up to where.
        seq: Seq,
        /// Sets it back to there instead, on purpose.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// Says that this device has the log up to here: what others see as delivered.
    MarkDelivered {
        /// Where.
        conversation_id: ConversationId,
        /// Up to where.
        seq: Seq,
    },
    /// I am typing; to be repeated every 4 s while I do.
    TypingStart {
        /// Where.
        conversation_id: ConversationId,
    },
    /// I stopped typing.
    TypingStop {
        /// Where.
        conversation_id: ConversationId,
    },
    /// Tell me about these users, and no others.
    WatchPresence {
        /// At most 200, who share a conversation with me.
        user_ids: Vec<UserId>,
    },
    /// How I want to be seen.
    SetPresence {
        /// As what.
        status: Availability,
    },
    /// Are you there?
    Ping {},
}

impl ClientCommand {
    /// Every `type` that a command can have on the wire.
    pub const TYPES: [&str; 11] = [
        "authenticate",
        "join_conversation",
        "leave_conversation",
        "send_message",
        "mark_read",
        "mark_delivered",
        "typing_start",
        "typing_stop",
        "watch_presence",
        "set_presence",
        "ping",
    ];
}

/// A client frame that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// Its `ref`, where that much could be read.
    pub reference: Option<String>,
    /// What is wrong with it.
    pub problem: Box<Problem>,
}

impl ClientFrame {
    /// Reads a frame strictly: unknown fields, unknown types and repeated keys are errors.
    pub fn decode(text: &str) -> Result<Self, BadFrame> {
        let StrictObject(mut fields) = serde_json::from_str(text).map_err(|error| BadFrame {
            reference: None,
            problem: Box::new(Problem::from_json_error(&error)),
        })?;
        let (reference, ref_is_text) = match fields.remove("ref") {
            None => (None, true),
            Some(Value::String(reference)) if reference.len() <= 64 => (Some(reference), true),
            Some(_) => (None, false),
        };
        let bad = |problem| BadFrame {
            reference: reference.clone(),
            problem: Box::new(problem),
        };
        if !ref_is_text {
            return Err(bad(Problem::new(
                ErrorCode::Malformed,
                "`ref` is a string of at most 64 bytes",
            )));
        }
        match fields.get("type").and_then(Value::as_str) {
            None => {
                return Err(bad(Problem::new(
                    ErrorCode::Malformed,
                    "a frame needs a `type`",
                )));
            }
            Some(kind) if !ClientCommand::TYPES.contains(&kind) => {
                let known = ClientCommand::TYPES.join(", ");
                return Err(bad(Problem::new(
                    ErrorCode::UnknownType,
                    format!("this server knows: {known}"),
                )));
            }
            Some(_) => {}
        }
        match serde_json::from_value(Value::Object(fields)) {
            Ok(command) => Ok(Self { reference, command }),
            Err(error) => Err(bad(Problem::from_json_error(&error))),
        }
    }
}

/// A JSON object in which no key stands twice.
struct StrictObject(Map<String, Value>);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = StrictObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut entries: A,
            ) -> Result<StrictObject, A::Error> {
                let mut fields = Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    if fields.contains_key(&key) {
                        return Err(de::Error::custom(format!("duplicate field `{key}`")));
                    }
                    fields.insert(key, value);
                }
                Ok(StrictObject(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum ServerFrame {
    /// Something durable happened in a joined conversation. Class: log.
    Log(Box<Entry>),
    /// Everything else.
    Signal(Signal),
}

impl ServerFrame {
    /// Reads a frame; `None` is one of a kind that this version does not know, to be passed over.
    pub fn decode(text: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
        }
        let Kind { kind } = serde_json::from_str(text)?;
        if Signal::TYPES.contains(&kind.as_ref()) {
            return serde_json::from_str(text).map(|signal| Some(Self::Signal(signal)));
        }
        if Entry::TYPES.contains(&kind.as_ref()) {
            return serde_json::from_str(text).map(|entry| Some(Self::Log(Box::new(entry))));
        }
        Ok(None)
    }
}

/// Server frames that are not entries of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// The first frame after authentication.
    Hello(Box<Hello>),
    /// A command was carried out.
    Ack {
        /// The command's `ref`.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// What it brought about.
        #[serde(flatten)]
        ack: Ack,
    },
    /// A command was not carried out.
    Error {
        /// The command's `ref`.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// Why.
        problem: Box<Problem>,
    },
    /// A row of my list is now this. Class: state.
    ConversationUpdated {
        /// The row.
        row: Box<Row>,
    },
    /// A conversation is no longer in my list. Class: state.
    ConversationRemoved {
        /// Which.
        conversation_id: ConversationId,
    },
    /// Somebody has read up to here. Class: state. A message says the same of its sender, and is not followed by this.
    Read {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// Up to where.
        seq: Seq,
    },
    /// A device of somebody has the log up to here. Class: state. Told where `read` is told; who has read up to somewhere
    /// has it up to there, and that is not followed by this.
    Delivered {
        /// Where.
        conversation_id: ConversationId,
        /// Whose.
        user_id: UserId,
        /// Up to where.
        seq: Seq,
    },
    /// A watched user's presence is now this. Class: state.
    Presence(Presence),
    /// Who is typing now: the whole set. Class: ephemeral.
    Typing {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_ids: Vec<UserId>,
    },
    /// This session cannot be served the log after `after_seq` any more: page with REST and join again.
    Resync {
        /// Where.
        conversation_id: ConversationId,
        /// Up to where it was served.
        after_seq: Seq,
    },
    /// The server drains: come back elsewhere.
    Reconnect {
        /// After how long.
        after_ms: u64,
    },
}

impl Signal {
    /// Every `type` that a signal can have on the wire.
    pub const TYPES: [&str; 11] = [
        "hello",
        "ack",
        "error",
        "conversation_updated",
        "conversation_removed",
        "read",
        "delivered",
        "presence",
        "typing",
        "resync",
        "reconnect",
    ];
}

/// The body of an `ack`: empty but for the commands that bring something back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// `join_conversation`: the head of the log at this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_seq: Option<Seq>,
    /// `join_conversation`: the log is served after this place. It is `after_seq`, unless that lies before what I can see:
    /// then it is the place before the first entry that I can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_seq: Option<Seq>,
    /// `join_conversation`: the cursor was too far behind; live starts at `head_seq`, page up to it with REST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<bool>,
    /// `send_message`: what was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message>>,
}

/// Who and what this socket is, with every timer and limit that applies to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// This socket.
    pub session_id: SessionId,
    /// Who it is authenticated as.
    pub user_id: UserId,
    /// How I am seen while I am connected.
    pub availability: Availability,
    /// The node it is connected to.
    pub node_id: NodeId,
    /// The life of the store: cursors of another one are void.
    pub epoch: StoreEpoch,
    /// The server's version.
    pub server_version: String,
    /// When the access token runs out, in milliseconds from now.
    pub token_expires_in_ms: u64,
    /// Timers and limits by name.
    #[serde(flatten)]
    pub limits: Announced,
}

/// Timers and limits, as `hello` announces and `--limits` sets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// How often the server pings.
    pub ping_interval_ms: u64,
    /// After how much silence either end closes.
    pub idle_timeout_ms: u64,
    /// The longest message body, in characters.
    pub max_body_chars: usize,
    /// The largest frame.
    pub max_frame_bytes: usize,
    /// How often `typing_start` is to be repeated.
    pub typing_repeat_ms: u64,
    /// After how long without a repeat somebody no longer types.
    pub typing_expiry_ms: u64,
    /// The most users one `watch_presence` may name.
    pub max_watched_users: usize,
    /// The most conversations one socket may join.
    pub max_joined_conversations: usize,
    /// The most entries that a join replays.
    pub max_replay: usize,
    /// Sends a user may make each second, in the long run.
    pub sends_per_second: u32,
    /// Sends a user may make at once.
    pub send_burst: u32,
    /// Frames a socket may send each second, in the long run.
    pub frames_per_second: u32,
    /// Frames a socket may send at once.
    pub frame_burst: u32,
    /// REST requests a user may make each second, in the long run.
    pub requests_per_second: u32,
    /// REST requests a user may make at once.
    pub request_burst: u32,
    /// Attempts to sign in to one account from one address in 15 minutes.
    pub logins_per_quarter_hour: u32,
    /// The most sockets of one user.
    pub max_sockets_per_user: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_travels_with_its_ref() {
        let text = r#"{"type":"mark_read","ref":"7","conversation_id":"0190e3a0-0000-7000-8000-000000000001","seq":12}"#;
        let frame = ClientFrame::decode(text).unwrap();
        assert_eq!(frame.reference.as_deref(), Some("7"));
        assert!(matches!(
            frame.command,
            ClientCommand::MarkRead { seq: 12, .. }
        ));
        assert_eq!(
            ClientFrame::decode(&serde_json::to_string(&frame).unwrap()).unwrap(),
            frame
        );
    }

    #[test]
    fn what_is_wrong_with_a_frame_is_said_by_name() {
        let cases = [
            ("[]", ErrorCode::Malformed, None),
            ("{\"type\":\"ping\"", ErrorCode::Malformed, None),
            (r#"{"ref":"1"}"#, ErrorCode::Malformed, Some("1")),
            (r#"{"type":"ping","ref":7}"#, ErrorCode::Malformed, None),
            (
                r#"{"type":"ping","type":"ping"}"#,
                ErrorCode::Malformed,
                None,
            ),
            (
                r#"{"type":"dance","ref":"1"}"#,
                ErrorCode::UnknownType,
                Some("1"),
            ),
            (
                r#"{"type":"ping","ref":"1","role":"admin"}"#,
                ErrorCode::UnknownField,
                Some("1"),
            ),
            (
                r#"{"type":"typing_start","ref":"1"}"#,
                ErrorCode::Malformed,
                Some("1"),
            ),
        ];
        for (text, code, reference) in cases {
            let bad = ClientFrame::decode(text).unwrap_err();
            assert_eq!(
                (bad.problem.code, bad.reference.as_deref()),
                (code, reference),
                "{text}"
            );
        }
    }

    #[test]
    fn a_log_frame_looks_like_this() {
        let id = "0190e3a0-0000-7000-8000-000000000001";
        let text = format!(
            r#"{{"type":"member_role","user_id":"{id}","role":"admin","by":"{id}","conversation_id":"{id}","seq":7,"at":"2026-11-22T00:00:00.000Z"}}"#
        );
        let frame = ServerFrame::decode(&text).unwrap().unwrap();
        assert_eq!(serde_json::to_string(&frame).unwrap(), text);
    }

    #[test]
    fn every_kind_of_signal_is_recognised() {
        let id = "0190e3a0-0000-7000-8000-000000000001";
        for text in [
            format!(r#"{{"type":"typing","conversation_id":"{id}","user_ids":[]}}"#),
            format!(
                r#"{{"type":"presence","user_id":"{id}","status":"online","last_seen_at":null}}"#
            ),
            r#"{"type":"ack","ref":"1","head_seq":3,"reset":false}"#.to_owned(),
            format!(
                r#"{{"type":"member_left","conversation_id":"{id}","seq":1,"at":"2026-11-22T00:00:00.000Z","user_id":"{id}","by":"{id}"}}"#
            ),
        ] {
            let frame = ServerFrame::decode(&text).unwrap().unwrap();
            let again = serde_json::to_string(&frame).unwrap();
            assert_eq!(ServerFrame::decode(&again).unwrap().unwrap(), frame);
            let (a, b): (Value, Value) = (
                serde_json::from_str(&text).unwrap(),
                serde_json::from_str(&again).unwrap(),
            );
            assert_eq!(a, b);
        }
        assert_eq!(
            ServerFrame::decode(r#"{"type":"from_the_future","x":1}"#).unwrap(),
            None
        );
    }
}
