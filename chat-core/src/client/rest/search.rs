//! Full-text search.

use crate::{
    Query,
    client::{Client, ClientError},
    model::Message,
    protocol::rest::Page,
};

impl Client {
    /// A page of the messages that contain all words of the query, the last one as the beginning of a word, of those that I
    /// can see; the newest first.
    pub async fn search(
        &self,
        query: &Query,
        cursor: Option<&str>,
    ) -> Result<Page<Message>, ClientError> {
        let request = self.http().get(&["search"])?;
        let mut request = request.query(&[("q", &query.text)]);
        if let Some(conversation) = query.conversation {
            request = request.query(&[("conversation_id", conversation)]);
        }
        if let Some(sender) = query.from {
            request = request.query(&[("from", sender)]);
        }
        if let Some(before) = query.before {
            request = request.query(&[("before", before)]);
        }
        self.page(request, cursor).await
    }
}
