//! Opens addresses of the web and of mail with the program that this machine has for them.

use std::env;

use crate::app::address::Address;

/// Opens an address; fails, and says why, where nobody would see it opened.
pub(crate) fn open(address: &Address) -> Result<(), String> {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("SSH_CONNECTION") || is_set("SSH_TTY") {
        return Err("this client runs on another machine".to_owned());
    }
    let needs_display = cfg!(all(unix, not(target_os = "macos")));
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
        .into_iter()
        .any(is_set);
    if needs_display && !has_display {
        return Err("there is no display here".to_owned());
    }
    open::that_detached(address.as_str()).map_err(|error| error.to_string())
}
