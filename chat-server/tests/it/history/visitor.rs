//! Somebody who signs in for a while, talks, and is signed out by themselves from elsewhere: then they are gone, on every node,
//! and are told nothing more.

use std::{sync::Arc, time::Duration};

use chat_core::{
    client::{Client, ClientError},
    model::{SignInId, UserId},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Dice,
    cluster::NODES,
    device::{Device, GIVE_UP},
    people::Town,
    proxy::Proxy,
    record::{What, Who},
};
use crate::support::PASSWORD;

/// Devices of visitors have numbers from here on, so many for each.
const VISITS: u32 = 10_000;
const PAUSE: Duration = Duration::from_millis(150);
/// After a sign-out, that nothing is told is looked at for so long.
const LISTENING: Duration = Duration::from_secs(8);

pub struct Visitor {
    pub id: UserId,
    pub name: String,
    /// What they sign out with: it has no connection of its own.
    pub desk: Client,
    pub _proxy: Proxy,
}

/// Does what may be done twice, until it is done or time is over.
async fn insist<T, F: Future<Output = Result<T, ClientError>>>(ask: impl Fn() -> F) -> Option<T> {
    let until = Instant::now() + GIVE_UP;
    loop {
        match ask().await {
            Ok(done) => return Some(done),
            Err(error) if error.retryable() && Instant::now() < until => sleep(PAUSE).await,
            Err(_) => return None,
        }
    }
}

impl Visitor {
    /// Comes and goes until it is told to stop, and then is gone.
    pub async fn come_and_go(town: Arc<Town>, nth: usize, mut dice: Dice, stop: CancellationToken) {
        let first = VISITS * (1 + u32::try_from(nth).unwrap());
        for number in first.. {
            sleep(dice.up_to_ms(3_000)).await;
            if stop.is_cancelled() {
                return;
            }
            let visitor = &town.visitors[nth];
            let Some((device, sign_in)) = visitor.come(&town, number, &mut dice).await else {
                continue;
            };
            for word in 0..3 {
                sleep(dice.up_to_ms(2_000)).await;
                if let Some((place, _)) = device.some_place(dice.number()) {
                    device.say(place, format!("{number}/{word} while I am here"));
                }
            }
            visitor.go(&town, &device, sign_in).await;
        }
    }

    async fn come(
        &self,
        town: &Town,
        number: u32,
        dice: &mut Dice,
    ) -> Option<(Arc<Device>, SignInId)> {
        let proxy = Proxy::start(town.cluster.route(dice.up_to(NODES))).await;
        let client = Client::new(&format!("http://{}", proxy.address)).unwrap();
        insist(|| client.login(&self.name, PASSWORD)).await?;
        let sign_ins = insist(|| client.sessions()).await?;
        let current = sign_ins.iter().find(|it| it.current)?.id;
        Some((Device::start(client, proxy, number, &town.record), current))
    }

    async fn go(&self, town: &Town, device: &Device, sign_in: SignInId) {
        if insist(|| self.desk.sign_out_session(sign_in))
            .await
            .is_some()
        {
            let what = What::SignOut {
                device: device.who.device,
            };
            let desk = Who {
                user: self.id,
                device: 0,
            };
            town.record.note(Some(desk), what);
            let ended = async {
                while device.app.lock().online {
                    sleep(PAUSE).await;
                }
            };
            // That it is still online by then is for the check of what it was told.
            let _ = timeout(LISTENING, ended).await;
        }
        device.close().await;
    }
}
