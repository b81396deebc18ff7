//! What a peer asks for: taking it in, carrying it out in its turn, and answering.

use chat_core::{
    Session,
    model::{Availability, ConversationId, Draft, Seq, UserId},
    protocol::{Ack, ClientCommand, ClientFrame, CloseCode, ErrorCode},
};

use super::{Connection, Ending, Outcome, Turn};
use crate::{
    http::{error::ApiError, extract::seq},
    limits::TooMany,
    state::Shared,
    ws::{
        answers::{Answer, Reference},
        marks::{Cursor, move_forward},
    },
};

impl Connection {
    pub(super) fn on_text(&mut self, text: &str) -> Option<Ending> {
        let (reference, command) = match ClientFrame::decode(text) {
            Ok(frame) => (frame.reference, Ok(frame.command)),
            Err(bad) => (bad.reference, Err(bad.problem)),
        };
        let reference = self.answers.place(reference);
        if let Err(too_many) = self.limits.frame() {
            return self.refuse_haste(reference, too_many, "frames");
        }
        match command {
            Ok(command) => self.on_command(reference, command),
            Err(problem) if self.limits.bears_bad_frame() => {
                self.lane.push(Turn::Refused(reference, problem));
            }
            Err(problem) => {
                self.tell(reference.answer(Err(*problem)));
                let reason = "malformed frames again and again";
                return Some(Ending::Close(CloseCode::Malformed, reason));
            }
        }
        None
    }

    fn on_command(&mut self, reference: Reference, command: ClientCommand) {
        let (conversation, cursor, wanted) = match command {
            ClientCommand::MarkRead {
                conversation_id,
                seq,
                unread: false,
            } => (conversation_id, Cursor::Read, seq),
            ClientCommand::MarkDelivered {
                conversation_id,
                seq,
            } => (conversation_id, Cursor::Delivered, seq),
            _ => return self.lane.push(Turn::Command(reference, command)),
        };
        if self.lane.sets_back() {
            return self.lane.push(Turn::Command(reference, command));
        }
        match seq("seq", wanted) {
            Ok(wanted) => (self.marks).push(reference, conversation, cursor, wanted),
            Err(error) => {
                let problem = Box::new(error.into_problem());
                self.lane.push(Turn::Refused(reference, problem));
            }
        }
    }

    /// Tells what came of a command, once all before it is told.
    pub(super) fn tell(&mut self, answer: Answer) {
        for signal in self.answers.in_order(answer) {
            self.socket.queue_signal(&signal);
        }
    }

    pub(super) fn tell_all(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            self.tell(answer);
        }
    }

    fn refuse_haste(
        &mut self,
        reference: Reference,
        too_many: TooMany,
        of_what: &str,
    ) -> Option<Ending> {
        let problem = Box::new(too_many.problem(of_what));
        self.lane.push(Turn::Refused(reference, problem));
        (!self.limits.bears_haste()).then(Ending::too_hasty)
    }

    /// Carries out what waits, up to the first command that takes its time.
    pub(super) async fn take_turns(&mut self) -> Option<Ending> {
        self.marks.start(&self.state.chat, self.identity.user_id);
        while let Some(turn) = self.lane.next(self.marks.is_idle()) {
            match turn {
                Turn::Refused(reference, problem) => {
                    self.tell(reference.answer(Err(*problem)));
                }
                Turn::Command(reference, command) => {
                    let ending = Box::pin(self.carry_out(reference, command)).await;
                    if ending.is_some() {
                        return ending;
                    }
                }
            }
        }
        None
    }

    async fn carry_out(&mut self, reference: Reference, command: ClientCommand) -> Option<Ending> {
        let done = match command {
            ClientCommand::JoinConversation {
                conversation_id,
                after_seq,
            } => self.join(conversation_id, after_seq).await,
            ClientCommand::LeaveConversation { conversation_id } => {
                self.session().await.map(|session| {
                    session.leave(conversation_id);
                    Ack::default()
                })
            }
            ClientCommand::TypingStart { conversation_id } => {
                self.typing(conversation_id, true).await
            }
            ClientCommand::TypingStop { conversation_id } => {
                self.typing(conversation_id, false).await
            }
            ClientCommand::WatchPresence { user_ids } => self.watch_presence(user_ids).await,
            ClientCommand::SetPresence { status } => self.set_presence(status).await,
            ClientCommand::Ping {} => Ok(Ack::default()),
            ClientCommand::SendMessage {
                conversation_id,
                client_id,
                body,
                reply_to,
            } => {
                let draft = Draft {
                    client_id,
                    body,
                    reply_to,
                };
                return self.send(reference, conversation_id, draft);
            }
            ClientCommand::MarkRead {
                conversation_id,
                seq: wanted,
                unread: true,
            } => {
                let chat = self.state.chat.clone();
                let reader = self.identity.user_id;
                return self.run(reference, async move {
                    let wanted = seq("seq", wanted)?;
                    chat.mark_unread(reader, conversation_id, wanted).await?;
                    Ok(Ack::default())
                });
            }
            ClientCommand::MarkRead {
                conversation_id,
                seq,
                ..
            } => return self.mark(reference, conversation_id, Cursor::Read, seq),
            ClientCommand::MarkDelivered {
                conversation_id,
                seq,
            } => return self.mark(reference, conversation_id, Cursor::Delivered, seq),
            ClientCommand::Authenticate { token } => {
                let state = Shared::clone(&self.state);
                self.lane.run(async move {
                    let checked = state.authenticate.authenticate(&token).await;
                    Outcome::Checked(reference, checked)
                });
                return None;
            }
            _ => Err(ApiError::new(
                ErrorCode::UnknownType,
                "this server does not carry out this command",
            )),
        };
        let done = done.map_err(ApiError::into_problem);
        self.tell(reference.answer(done));
        None
    }

    async fn join(
        &mut self,
        conversation: ConversationId,
        after: Option<Seq>,
    ) -> Result<Ack, ApiError> {
        let after = after.map(|after| seq("after_seq", after)).transpose()?;
        let joined = self.session().await?.join(conversation, after).await?;
        Ok(Ack {
            head_seq: Some(joined.head_seq),
            after_seq: joined.after_seq,
            reset: Some(joined.reset),
            message: None,
        })
    }

    async fn typing(
        &mut self,
        conversation: ConversationId,
        typing: bool,
    ) -> Result<Ack, ApiError> {
        self.session().await?.typing(conversation, typing).await?;
        Ok(Ack::default())
    }

    async fn watch_presence(&mut self, users: Vec<UserId>) -> Result<Ack, ApiError> {
        self.session().await?.watch_presence(users).await?;
        Ok(Ack::default())
    }

    async fn set_presence(&mut self, availability: Availability) -> Result<Ack, ApiError> {
        self.session().await?.set_presence(availability).await?;
        Ok(Ack::default())
    }

    /// The session, to be used by this task until it is looked after again.
    async fn session(&mut self) -> Result<&mut Session, ApiError> {
        self.hold_session().await;
        let session = self.session.as_deref_mut();
        session.ok_or_else(|| ApiError::new(ErrorCode::Internal, "the session is gone"))
    }

    /// Moves a cursor in its turn, behind one that is set back.
    fn mark(
        &mut self,
        reference: Reference,
        conversation: ConversationId,
        cursor: Cursor,
        wanted: Seq,
    ) -> Option<Ending> {
        let chat = self.state.chat.clone();
        let reader = self.identity.user_id;
        self.run(reference, async move {
            let wanted = seq("seq", wanted)?;
            move_forward(&chat, reader, conversation, cursor, wanted).await
        })
    }

    fn send(
        &mut self,
        reference: Reference,
        conversation: ConversationId,
        draft: Draft,
    ) -> Option<Ending> {
        let sender = self.identity.user_id;
        if let Err(too_many) = self.state.limits.sends.check(&sender) {
            let problem = too_many.problem("messages");
            self.tell(reference.answer(Err(problem)));
            return (!self.limits.bears_haste()).then(Ending::too_hasty);
        }
        let chat = self.state.chat.clone();
        self.run(reference, async move {
            let sent = chat.send(sender, conversation, draft).await?;
            Ok(Ack {
                message: Some(Box::new(sent.message)),
                ..Ack::default()
            })
        })
    }

    /// Carries out a command that takes its time, beside reading and pushing.
    fn run(
        &mut self,
        reference: Reference,
        command: impl Future<Output = Result<Ack, ApiError>> + Send + 'static,
    ) -> Option<Ending> {
        self.lane.run(async move {
            let done = command.await.map_err(ApiError::into_problem);
            Outcome::Answer(reference.answer(done))
        });
        None
    }

    pub(super) fn on_outcome(&mut self, outcome: Outcome) -> Option<Ending> {
        match outcome {
            Outcome::Answer(answer) => {
                self.tell(answer);
                None
            }
            Outcome::Checked(reference, checked) => self.renew(reference, checked),
        }
    }
}
