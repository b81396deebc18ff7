//! Messages: what a sender hands in, and what everyone reads.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{ClientId, ConversationId, MessageId, Role, Seq, Timestamp, UserId};
use crate::store::{Mentions, Write};

/// A message that is not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The sender's name for this send; the same one again is the same send.
    pub client_id: ClientId,
    /// The text, stored and returned to the letter.
    pub body: String,
    /// The message of the same conversation that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
}

/// A message in its present state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    /// Its name for ever.
    pub id: MessageId,
    /// Where it was said.
    pub conversation_id: ConversationId,
    /// Its place in the log of the conversation.
    pub seq: Seq,
    /// Who said it.
    pub sender_id: UserId,
    /// The sender's own name for it.
    pub client_id: ClientId,
    /// What was said.
    pub body: String,
    /// What it answers.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub reply_to: Option<MessageId>,
    /// Those members who are called by name in it, the sender excepted.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// It calls everyone; only admins and owners of a group can.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mentions_everyone: bool,
    /// What people put on it, in the order in which each emoji first came.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its text was last changed.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub edited_at: Option<Timestamp>,
    /// When it was taken back; what is left of it then is a stub, without text, mentions, reactions and pin.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub deleted_at: Option<Timestamp>,
    /// When it was pinned, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<Timestamp>,
    /// The `seq` of the entry that made it what it is; a state of a message replaces another when this did not go
    /// backwards.
    pub changed_seq: Seq,
}

impl Message {
    /// Whether this state of the message may take the place of `older`.
    #[must_use]
    pub fn supersedes(&self, older: &Self) -> bool {
        self.changed_seq >= older.changed_seq
    }

    /// What a send becomes.
    pub(crate) fn new(write: &Write, id: MessageId, seq: Seq, draft: &Draft) -> Self {
        Self {
            id,
            conversation_id: write.conversation_id,
            seq,
            sender_id: write.author,
            client_id: draft.client_id,
            body: draft.body.clone(),
            reply_to: draft.reply_to,
            mentions: Vec::new(),
            mentions_everyone: false,
            reactions: Vec::new(),
            created_at: write.at,
            edited_at: None,
            deleted_at: None,
            pinned_at: None,
            changed_seq: seq,
        }
    }

    /// Makes it call those who can be called by an author of this role.
    pub(crate) fn call(
        &mut self,
        mentions: &Mentions,
        author: Option<Role>,
        is_member: impl Fn(UserId) -> bool,
    ) {
        let called = mentions.users.iter().copied();
        let called = called.filter(|user| *user != self.sender_id && is_member(*user));
        self.mentions = called.collect();
        self.mentions_everyone = mentions.everyone && author >= Some(Role::Admin);
    }

    /// Takes it back: leaves the stub.
    pub(crate) fn erase(&mut self, at: Timestamp) {
        self.body.clear();
        self.mentions.clear();
        self.mentions_everyone = false;
        self.reactions.clear();
        self.pinned_at = None;
        self.deleted_at = Some(at);
    }

    /// Adds a user to those who put this emoji on it.
    pub(crate) fn add_reaction(&mut self, emoji: &Emoji, user: UserId) {
        let index = self.reactions.iter().position(|it| it.emoji == *emoji);
        let index = index.unwrap_or_else(|| {
            self.reactions.push(Reaction::none(emoji.clone()));
            self.reactions.len() - 1
        });
        let reaction = &mut self.reactions[index];
        // Once the list is short of somebody it stays so: who comes next is not the next of those who are there.
        if reaction.user_ids.len() as u64 == reaction.count
            && reaction.user_ids.len() < Reaction::MAX_USERS
        {
            reaction.user_ids.push(user);
        }
        reaction.count += 1;
    }

    /// The opposite.
    pub(crate) fn remove_reaction(&mut self, emoji: &Emoji, user: UserId) {
        for reaction in &mut self.reactions {
            if reaction.emoji == *emoji {
                reaction.user_ids.retain(|id| *id != user);
                reaction.count = reaction.count.saturating_sub(1);
            }
        }
        self.reactions.retain(|reaction| reaction.count > 0);
    }

    /// Puts the reactions with one emoji in the place of those with the same that it had.
    pub(crate) fn put_reaction(&mut self, reaction: &Reaction) {
        let place = self
            .reactions
            .iter()
            .position(|it| it.emoji == reaction.emoji);
        match place {
            Some(at) if reaction.count == 0 => {
                self.reactions.remove(at);
            }
            Some(at) => self.reactions[at].clone_from(reaction),
            None if reaction.count == 0 => {}
            None => self.reactions.push(reaction.clone()),
        }
    }

    /// The reactions with this emoji; none of them is one with the count 0.
    pub(crate) fn reaction(&self, emoji: &Emoji) -> Reaction {
        let reactions = self.reactions.iter();
        let mut with = reactions.filter(|reaction| reaction.emoji == *emoji);
        with.next()
            .cloned()
            .unwrap_or_else(|| Reaction::none(emoji.clone()))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// One emoji on a message, and who put it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reaction {
    /// Which.
    pub emoji: Emoji,
    /// By how many.
    pub count: u64,
    /// By whom: everybody as long as they were never more than [`Reaction::MAX_USERS`], else some of the first.
    pub user_ids: Vec<UserId>,
}

impl Reaction {
    /// The most users that are named.
    pub const MAX_USERS: usize = 50;
    /// The most emoji on one message.
    pub const MAX_EMOJI: usize = 20;

    fn none(emoji: Emoji) -> Self {
        Self {
            emoji,
            count: 0,
            user_ids: Vec::new(),
        }
    }
}

/// One emoji: a single visible sign, however many code points it takes, that is neither a letter nor a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 64, format = "emoji", examples("👍")))]
#[serde(try_from = "String", into = "String")]
pub struct Emoji(String);

impl Emoji {
    /// The longest, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 64;

    /// The emoji as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Emoji {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_sign = |c: char| {
            !c.is_alphanumeric() && !c.is_whitespace() && !('\u{200B}'..='\u{200F}').contains(&c)
        };
        // A dot alone cannot stand in the path of an address.
        if text == "."
            || text.len() > Self::MAX_BYTES
            || text.graphemes(true).count() != 1
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
            || !text.chars().any(is_sign)
        {
            return Err("a reaction is a single emoji");
        }
        Ok(Self(text))
    }
}

impl From<Emoji> for String {
    fn from(emoji: Emoji) -> Self {
        emoji.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_one_visible_sign() {
        for good in ["👍", "👍🏽", "👩‍👩‍👧‍👦", "❤️", "#️⃣", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "✅"]
        {
            assert!(Emoji::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "", " ", "a", "7", ".", "ok", "👍👍", "中", "\n", "\u{200B}", "\u{0}",
        ] {
            assert!(Emoji::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
