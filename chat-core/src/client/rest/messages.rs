//! Saying, reading, changing and marking messages.
//!
//! Changes are plain requests with an answer, without an outbox: what an error means is to be told to the user at once. What
//! they bring about also comes as an entry to everyone who follows the conversation.

use super::MAX_PAGE;
use crate::{
    client::{Client, ClientError},
    model::{ConversationId, Draft, Emoji, Message, MessageId, Seq},
    protocol::rest::{EditMessage, Events, Page},
    store::Around,
};

impl Client {
    /// Says something over REST; [`Live::send`](crate::client::Live::send) is the way with an outbox. A retry with the same
    /// `client_id` has no second effect.
    pub async fn send(
        &self,
        conversation: ConversationId,
        draft: &Draft,
    ) -> Result<Message, ClientError> {
        let request = self
            .http()
            .post(&Self::below(conversation, &["messages"]))?;
        self.json(request.json(draft)).await
    }

    /// Messages as they are now, ascending by `seq`; at most 200.
    pub async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, ClientError> {
        let request = self
            .http()
            .get(&Self::below(conversation, &["messages"]))?
            .query(&[("limit", limit.clamp(1, MAX_PAGE))]);
        let request = match which {
            Around::Newest => request,
            Around::Before(seq) => request.query(&[("before_seq", seq)]),
            Around::After(seq) => request.query(&[("after_seq", seq)]),
            Around::Around(seq) => request.query(&[("around_seq", seq)]),
        };
        self.json::<Page<Message>>(request)
            .await
            .map(|page| page.items)
    }

    /// One message as it is now.
    pub async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Message, ClientError> {
        self.json(self.http().get(&of_message(conversation, id, &[]))?)
            .await
    }

    /// The log itself after a cursor; because `seq` is dense, any stretch of history can be asked for. It begins where my
    /// history begins, if that is later.
    pub async fn events(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Events, ClientError> {
        let request = self
            .http()
            .get(&Self::below(conversation, &["events"]))?
            .query(&[("after_seq", after)])
            .query(&[("limit", limit.clamp(1, MAX_PAGE))]);
        self.json(request).await
    }

    /// Changes the text of a message of mine.
    pub async fn edit_message(
        &self,
        conversation: ConversationId,
        id: MessageId,
        body: &str,
    ) -> Result<Message, ClientError> {
        let request = self.http().patch(&of_message(conversation, id, &[]))?;
        let body = body.to_owned();
        self.json(request.json(&EditMessage { body })).await
    }

    /// Takes a message back, mine or as an admin that of another: a stub stays. Again is the same.
    pub async fn delete_message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<(), ClientError> {
        self.done(self.http().delete(&of_message(conversation, id, &[]))?)
            .await
    }

    /// Puts an emoji on a message; again is the same.
    pub async fn react(
        &self,
        conversation: ConversationId,
        id: MessageId,
        emoji: &Emoji,
    ) -> Result<(), ClientError> {
        let path = of_message(conversation, id, &["reactions", emoji.as_str()]);
        self.done(self.http().put(&path)?).await
    }

    /// Takes my emoji from a message; where it is not, that is so already.
    pub async fn unreact(
        &self,
        conversation: ConversationId,
        id: MessageId,
        emoji: &Emoji,
    ) -> Result<(), ClientError> {
        let path = of_message(conversation, id, &["reactions", emoji.as_str()]);
        self.done(self.http().delete(&path)?).await
    }

    /// Pins a message for all; again is the same.
    pub async fn pin(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<(), ClientError> {
        self.done(self.http().put(&of_message(conversation, id, &["pin"]))?)
            .await
    }

    /// Takes the pin away; again is the same.
    pub async fn unpin(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<(), ClientError> {
        self.done(
            self.http()
                .delete(&of_message(conversation, id, &["pin"]))?,
        )
        .await
    }

    /// A page of the pinned messages, newest first.
    pub async fn pins(
        &self,
        conversation: ConversationId,
        cursor: Option<&str>,
    ) -> Result<Page<Message>, ClientError> {
        let request = self.http().get(&Self::below(conversation, &["pins"]))?;
        self.page(request, cursor).await
    }
}

fn of_message(conversation: ConversationId, id: MessageId, rest: &[&str]) -> Vec<String> {
    let id = id.to_string();
    Client::below(conversation, &[&["messages", &id], rest].concat())
}
