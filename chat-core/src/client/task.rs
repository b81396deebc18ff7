//! The task of a live connection: carries out what `sync` says, and reports what came of it.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Client, ClientError, LiveOptions,
    live::{Shared, Told},
    reconnect::Jitter,
    sign_in::{self, Access},
    socket::{Read, Socket},
    sync::{Answer, Call, CallId, Input, Output, State},
};

const PAGE: usize = 200;

type Opening = BoxFuture<'static, Result<(Socket, Access), ClientError>>;
type Answering = BoxFuture<'static, (CallId, Result<Answer, ClientError>)>;

struct Task {
    client: Client,
    shared: Arc<Shared>,
    told: mpsc::Sender<Told>,
    state: State,
    opening: Option<Opening>,
    socket: Option<Socket>,
    /// The access token that the socket was last authenticated with.
    token: String,
    calls: FuturesUnordered<Answering>,
}

/// Runs until the application closes the connection or no longer listens.
pub(super) async fn run(
    client: Client,
    options: LiveOptions,
    shared: Arc<Shared>,
    told: mpsc::Sender<Told>,
) {
    let mut task = Task {
        client,
        shared,
        told,
        state: State::new(Jitter::new(), options),
        opening: None,
        socket: None,
        token: String::new(),
        calls: FuturesUnordered::new(),
    };
    while task.carry_out().await.is_continue() {
        let Some(input) = task.next_input().await else {
            break;
        };
        task.state.input(input, Instant::now().into_std());
    }
    task.say_goodbye().await;
}

impl Task {
    /// What happens next; `None` when the application closes the connection.
    async fn next_input(&mut self) -> Option<Input> {
        let wake_at = self.state.next_at().map(Instant::from_std);
        let sleep = OptionFuture::from(wake_at.map(tokio::time::sleep_until));
        tokio::select! {
            () = self.shared.closing.cancelled() => None,
            () = self.shared.wanted.notified() => {
                Some(Input::Wants(Box::new(self.shared.take_wants())))
            }
            Some(opened) = OptionFuture::from(self.opening.as_mut()) => {
                self.opening = None;
                Some(match opened {
                    Ok((socket, access)) => {
                        self.socket = Some(socket);
                        self.token = access.token;
                        Input::Connected
                    }
                    Err(error) => Input::ConnectFailed(error),
                })
            }
            Some(read) = OptionFuture::from(self.socket.as_mut().map(Socket::read)) => {
                Some(match read {
                    Read::Text(text) => Input::Text(text),
                    Read::Alive => Input::Heard,
                    Read::End { code, reason } => Input::Closed { code, reason },
                })
            }
            Some((call, answer)) = self.calls.next() => {
                if let Ok(Answer::Renewed { token, .. }) = &answer {
                    self.token.clone_from(token);
                }
                Some(Input::Answer(call, answer))
            }
            Some(()) = sleep => Some(Input::Elapsed),
        }
    }

    /// Does what the state says, until it says nothing more.
    async fn carry_out(&mut self) -> std::ops::ControlFlow<()> {
        loop {
            let mut written = Ok(());
            while let Some(output) = self.state.output() {
                match output {
                    Output::Connect { renew } => self.open(renew),
                    Output::Disconnect => {
                        self.opening = None;
                        self.socket = None;
                        self.calls.clear();
                    }
                    Output::Write(text) => {
                        if let (Some(socket), true) = (&mut self.socket, written.is_ok()) {
                            written = socket.feed(text).await;
                        }
                    }
                    Output::Call(id, call) => self.call(id, call),
                    Output::Event(event) => self.tell(Told::Event(event)).await?,
                    Output::Left(conversation, leaving) => {
                        self.tell(Told::Left(conversation, leaving)).await?;
                    }
                }
            }
            if let (Some(socket), true) = (&mut self.socket, written.is_ok()) {
                written = socket.flush().await;
            }
            let Err(reason) = written else {
                return std::ops::ControlFlow::Continue(());
            };
            let input = Input::Closed { code: None, reason };
            self.state.input(input, Instant::now().into_std());
        }
    }

    /// Hands news to the application, however long it takes to make room for them.
    async fn tell(&mut self, news: Told) -> std::ops::ControlFlow<()> {
        let waits = self.told.capacity() == 0;
        if waits && let Some(socket) = &mut self.socket {
            // The wait may be long: what was fed so far must not wait with it.
            let _ = socket.flush().await;
        }
        let told = tokio::select! {
            told = self.told.send(news) => told.is_ok(),
            () = self.shared.closing.cancelled() => false,
        };
        if waits {
            // The silence was ours: the server may have sent what we did not read.
            self.state.input(Input::Heard, Instant::now().into_std());
        }
        if told {
            std::ops::ControlFlow::Continue(())
        } else {
            std::ops::ControlFlow::Break(())
        }
    }

    fn open(&mut self, renew: bool) {
        let client = self.client.clone();
        let stale = renew.then(|| self.token.clone());
        self.opening = Some(open(client, stale).boxed());
    }

    fn call(&mut self, id: CallId, call: Call) {
        let (client, token) = (self.client.clone(), self.token.clone());
        let answer = async move { (id, ask(&client, call, &token).await) };
        self.calls.push(answer.boxed());
    }

    async fn say_goodbye(&mut self) {
        let wants = Input::Wants(Box::new(self.shared.take_wants()));
        let now = Instant::now().into_std();
        self.state.input(wants, now);
        self.state.input(Input::Close, now);
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        while let Some(output) = self.state.output() {
            if let Output::Write(text) = output
                && socket.feed(text).await.is_err()
            {
                return;
            }
        }
        socket.close().await;
    }
}

/// Opens a socket; when the access token has run out, with a new one.
async fn open(client: Client, stale: Option<String>) -> Result<(Socket, Access), ClientError> {
    let access = match stale {
        Some(stale) => client.renew(&stale).await?,
        None => client.sign_in().access()?,
    };
    match Socket::open(client.http(), &access.token).await {
        Err(error) if sign_in::wants_renewal(&error) => {
            let access = client.renew(&access.token).await?;
            let socket = Socket::open(client.http(), &access.token).await?;
            Ok((socket, access))
        }
        opened => Ok((opened?, access)),
    }
}

async fn ask(client: &Client, call: Call, token: &str) -> Result<Answer, ClientError> {
    match call {
        Call::Page { cursor } => {
            let page = client.conversations(cursor.as_deref()).await?;
            Ok(Answer::Page(page))
        }
        Call::Changes(known) => Ok(Answer::Changes(client.changes(known).await?)),
        Call::Events {
            conversation,
            after,
        } => {
            let events = client.events(conversation, after, PAGE).await?;
            Ok(Answer::Events(events))
        }
        Call::Renew => {
            let access = client.renew(token).await?;
            let expires_in = access
                .expires_at
                .saturating_duration_since(Instant::now())
                .max(Duration::from_secs(1));
            Ok(Answer::Renewed {
                token: access.token,
                expires_in,
            })
        }
    }
}
