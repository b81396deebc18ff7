//! A network of its own for a server process, as on a machine of its own: where its cable is pulled, the kernel does what it
//! does then. For long runs, as root: `CHAT_HISTORY_NAMESPACES=1`.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::{self, Child, ChildStdin, Command, Stdio},
};

/// Clears away once nobody holds the other end of its standard input: that is when the test ends, however it ends.
const WATCHDOG: &str = r#"
    cat >/dev/null
    ip link delete "$2"
    ip netns delete "$1""#;

#[derive(Debug)]
pub struct Namespace {
    pub name: String,
    /// Where the rest of the world is, seen from in there.
    pub world: IpAddr,
    /// Where what is in there is for the rest of the world.
    pub inside: IpAddr,
    cable: String,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

impl Namespace {
    /// One for each node, if that is wanted.
    pub fn wanted(number: usize) -> Option<Self> {
        std::env::var_os("CHAT_HISTORY_NAMESPACES")?;
        Some(Self::make(u8::try_from(number).unwrap()))
    }

    fn make(number: u8) -> Self {
        let process = process::id();
        let name = format!("chat{process}-{number}");
        let (outer, cable) = (
            format!("ch{process}o{number}"),
            format!("ch{process}i{number}"),
        );
        let network = 128 + u8::try_from(process % 100).unwrap();
        let [world, inside] = [1, 2].map(|host| Ipv4Addr::new(10, network, number, host));
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog", &name, &outer])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lifeline = watchdog.stdin.take();
        let namespace = Self {
            name,
            world: world.into(),
            inside: inside.into(),
            cable,
            watchdog,
            lifeline,
        };
        let (name, cable) = (&namespace.name, &namespace.cable);
        for arguments in [
            format!("netns add {name}"),
            format!("link add {outer} type veth peer name {cable} netns {name}"),
            format!("address add {world}/30 dev {outer}"),
            format!("link set {outer} up"),
            format!("-netns {name} address add {inside}/30 dev {cable}"),
            format!("-netns {name} link set lo up"),
            format!("-netns {name} link set {cable} up"),
        ] {
            ip(&arguments);
        }
        namespace
    }

    /// Pulls the cable: what is on its way is lost, and nobody is told.
    pub fn pull(&self) {
        ip(&format!(
            "-netns {} link set {} down",
            self.name, self.cable
        ));
    }

    pub fn plug_in(&self) {
        ip(&format!("-netns {} link set {} up", self.name, self.cable));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _gone = self.watchdog.wait();
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}
