//! The bodies of REST requests and answers.

use serde::{Deserialize, Serialize};

use crate::model::{ConversationId, Entry, Profile, Role, Row, Seq, UserId};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one starts; absent on the last.
    pub next_cursor: Option<String>,
}

/// `POST /auth/register`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// 2 to 32 letters, digits, `_`, `-` or `.`; unique without regard to case.
    pub username: String,
    /// 12 to 256 bytes.
    pub password: String,
    /// How others see me; the user name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// `POST /auth/login`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// `POST /auth/refresh` and `POST /auth/logout`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of this sign-in.
    pub refresh_token: String,
}

/// The answer to register, login and refresh.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who.
    pub user: Profile,
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// For `/auth/refresh`, once.
    pub refresh_token: String,
    /// Seconds until the access token runs out.
    pub expires_in: u64,
}

/// `PATCH /users/me`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchMe {
    /// How others see me.
    pub display_name: String,
}

/// `POST /conversations`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    /// The title, which becomes a [`Title`](crate::model::Title) if it can.
    pub title: String,
    /// Who belongs to it besides me.
    pub member_ids: Vec<UserId>,
}

/// `PATCH /conversations/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchConversation {
    /// The new title, which becomes a [`Title`](crate::model::Title) if it can.
    pub title: String,
}

/// `PUT /conversations/{id}/members/{user_id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutMember {
    /// The role; a plain member if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// `PUT /conversations/{id}/read`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// Up to where.
    pub seq: Seq,
}

/// `POST /conversations/changes`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownRows {
    /// What I have: `[id, head_seq, rev]` for each row.
    pub known: Vec<(ConversationId, Seq, u64)>,
}

/// The answer to `POST /conversations/changes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChanges {
    /// Rows that are new to me or differ from what I know.
    pub rows: Vec<Row>,
    /// Conversations that are no longer in my list.
    pub gone: Vec<ConversationId>,
}

/// The answer to `GET /conversations/{id}/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Entries after the cursor, ascending without a hole.
    pub items: Vec<Entry>,
    /// The newest `seq` of the log when this was read.
    pub head_seq: Seq,
}
