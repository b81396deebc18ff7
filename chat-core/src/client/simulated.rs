//! The live connection over a simulated network: the real sync core between pipes and an application.

use std::{collections::VecDeque, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    ClientError, Event, LiveOptions,
    reconnect::Jitter,
    sync::{Answer, Call, CallId, Input, Output, State},
    wants::{Opening, Wants},
};
use crate::{
    model::{ConversationId, Draft, Seq, UserId},
    simulation::{Network, Reader, Socket, Word},
};

/// What an application asks of its connection, or what befalls the device.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Open(ConversationId, Seq),
    Send(ConversationId, Draft),
    MarkRead(ConversationId, Seq),
    Typing(ConversationId, bool),
    Watch(Vec<UserId>),
    Retry,
    /// The connection breaks; the server does not notice for this long.
    Break(Duration),
    /// Nothing is read or done for this long.
    Freeze(Duration),
    /// The application ends, with a goodbye if the connection is still there.
    Quit,
}

struct Task {
    state: State,
    network: Network,
    opening: Option<BoxFuture<'static, Result<Socket, ClientError>>>,
    socket: Option<Socket>,
    unwritten: VecDeque<String>,
    calls: FuturesUnordered<BoxFuture<'static, (CallId, Result<Answer, ClientError>)>>,
}

/// What happens next.
enum Next {
    Asked(Option<Ask>),
    Input(Input),
    Written(bool),
}

/// Runs until the application quits.
pub(crate) async fn run(
    network: Network,
    seed: u64,
    mut asks: mpsc::UnboundedReceiver<Ask>,
    mut tell: impl FnMut(Event),
) {
    let mut task = Task {
        state: State::new(Jitter::seeded(seed), LiveOptions::default()),
        network,
        opening: None,
        socket: None,
        unwritten: VecDeque::new(),
        calls: FuturesUnordered::new(),
    };
    loop {
        task.carry_out(&mut tell);
        let input = match task.next(&mut asks).await {
            Next::Asked(None | Some(Ask::Quit)) => return task.say_goodbye().await,
            Next::Asked(Some(Ask::Break(unnoticed))) => match task.socket.take() {
                Some(socket) => {
                    socket.vanish(unnoticed);
                    closed(None)
                }
                None => continue,
            },
            Next::Asked(Some(Ask::Freeze(time))) => {
                sleep(time).await;
                Input::Heard
            }
            Next::Asked(Some(ask)) => Input::Wants(Box::new(wants(ask))),
            Next::Input(input) => input,
            Next::Written(true) => continue,
            Next::Written(false) => closed(None),
        };
        task.state.input(input, Instant::now().into_std());
    }
}

fn closed(code: Option<u16>) -> Input {
    Input::Closed {
        code,
        reason: "the connection broke".to_owned(),
    }
}

fn wants(ask: Ask) -> Wants {
    let mut wants = Wants::default();
    match ask {
        Ask::Open(conversation, after) => {
            let restores_seen = 0;
            wants.open(
                conversation,
                Opening {
                    after,
                    restores_seen,
                },
            );
        }
        Ask::Send(conversation, draft) => wants.send(conversation, draft),
        Ask::MarkRead(conversation, seq) => wants.mark_read(conversation, seq),
        Ask::Typing(conversation, typing) => {
            wants.typing.insert(conversation, typing);
        }
        Ask::Watch(users) => wants.watch = Some(users),
        Ask::Retry => wants.retry = true,
        Ask::Break(_) | Ask::Freeze(_) | Ask::Quit => {}
    }
    wants
}

impl Task {
    fn carry_out(&mut self, tell: &mut impl FnMut(Event)) {
        while let Some(output) = self.state.output() {
            match output {
                Output::Connect { .. } => {
                    let network = self.network.clone();
                    self.opening = Some(async move { network.connect().await }.boxed());
                }
                Output::Disconnect => {
                    self.opening = None;
                    self.socket = None;
                    self.unwritten.clear();
                    self.calls.clear();
                }
                Output::Write(text) => self.unwritten.push_back(text),
                Output::Call(id, call) => {
                    let network = self.network.clone();
                    let answer = async move { (id, ask(&network, call).await) };
                    self.calls.push(answer.boxed());
                }
                Output::Event(event) => tell(event),
                Output::Left(..) => {}
            }
        }
    }

    async fn next(&mut self, asks: &mut mpsc::UnboundedReceiver<Ask>) -> Next {
        let wake_at = self.state.next_at().map(Instant::from_std);
        let writing = !self.unwritten.is_empty();
        let (reader, writer) = match &mut self.socket {
            Some(socket) => (Some(&mut socket.reader), Some(&mut socket.writer)),
            None => (None, None),
        };
        tokio::select! {
            biased;
            asked = asks.recv() => Next::Asked(asked),
            Some(opened) = OptionFuture::from(self.opening.as_mut()) => {
                self.opening = None;
                Next::Input(match opened {
                    Ok(socket) => {
                        self.socket = Some(socket);
                        Input::Connected
                    }
                    Err(error) => Input::ConnectFailed(error),
                })
            }
            Some(written) = OptionFuture::from(writer.map(|w| w.write(&mut self.unwritten))), if writing => {
                Next::Written(written)
            }
            Some((id, answer)) = self.calls.next() => Next::Input(Input::Answer(id, answer)),
            Some(word) = OptionFuture::from(reader.map(Reader::read)) => {
                Next::Input(match word {
                    Some(Word::Text(text)) => Input::Text(text),
                    Some(Word::Close { code }) => closed(Some(code)),
                    None => closed(None),
                })
            }
            Some(()) = OptionFuture::from(wake_at.map(sleep_until)) => Next::Input(Input::Elapsed),
        }
    }

    async fn say_goodbye(mut self) {
        self.state.input(Input::Close, Instant::now().into_std());
        while let Some(output) = self.state.output() {
            if let Output::Write(text) = output {
                self.unwritten.push_back(text);
            }
        }
        self.unwritten.push_back("goodbye".to_owned());
        if let Some(mut socket) = self.socket.take() {
            tokio::select! {
                biased;
                _ = socket.writer.write(&mut self.unwritten) => {}
                () = sleep(Duration::from_secs(2)) => {}
            }
            socket.vanish(Duration::from_secs(1));
        }
    }
}

async fn ask(network: &Network, call: Call) -> Result<Answer, ClientError> {
    match call {
        Call::Page { cursor } => network.page(cursor).await.map(Answer::Page),
        Call::Changes(known) => network.changes(known).await.map(Answer::Changes),
        Call::Events {
            conversation,
            after,
        } => network
            .events(conversation, after)
            .await
            .map(Answer::Events),
        Call::Renew => Ok(Answer::Renewed {
            token: String::new(),
            expires_in: Duration::from_hours(24),
        }),
    }
}
