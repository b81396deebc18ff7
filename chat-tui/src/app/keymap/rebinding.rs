//! Reads what the user binds keys to, and says what is wrong with it.

use std::fmt::Write;

use toml::{Table, Value};

use super::{
    Action, Code, Context, Key,
    table::{Row, TABLE},
};

/// One key in one place, bound to something else than in the preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebinding {
    /// Where.
    pub context: Context,
    /// Which.
    pub key: Key,
    /// What it does there; nothing if none.
    pub action: Option<Action>,
}

/// The row of the table that says what an action does, as it is meant in this place.
pub(super) fn row(context: Context, action: Action) -> Option<&'static Row> {
    let places = std::iter::once(&context).chain(context.beneath());
    let mut rows = places.map(|place| {
        let mut rows = TABLE.iter();
        rows.find(|row| row.context == *place && row.action == action)
    });
    rows.find_map(|row| row)
}

/// Reads a file of bindings: a table for each place, in it a line for each key, as in
/// `[composer]` and below it `"ctrl-s" = "send"`. With `"none"` a key does nothing there.
///
/// # Errors
///
/// The entry that cannot be understood, and what could stand in its place.
pub fn read(text: &str) -> Result<Vec<Rebinding>, String> {
    let file: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.to_string().trim_end().to_owned())?;
    let mut rebindings = Vec::new();
    for (place, keys) in &file {
        let context = context_named(place)?;
        let Value::Table(keys) = keys else {
            return Err(format!(
                "“{place}” must be a table of keys, as in [{place}]"
            ));
        };
        for (key, name) in keys {
            let rebinding = entry(context, key, name);
            rebindings.push(rebinding.map_err(|why| format!("[{place}] \"{key}\": {why}"))?);
        }
    }
    Ok(rebindings)
}

fn context_named(name: &str) -> Result<Context, String> {
    let mut all = Context::ALL.into_iter();
    all.find(|context| context.name() == name).ok_or_else(|| {
        let names = Context::ALL.map(Context::name);
        format!(
            "there is no place [{name}] for keys; there are: {}",
            names.join(", ")
        )
    })
}

fn entry(context: Context, key: &str, name: &Value) -> Result<Rebinding, String> {
    let key: Key = key.parse().map_err(|error| format!("{error}"))?;
    let is_letter = !key.ctrl && !key.alt && matches!(key.code, Code::Char(_));
    if is_letter && context.takes_letters() {
        return Err("a letter alone is written here; take it with ctrl- or alt-".to_owned());
    }
    let Value::String(name) = name else {
        return Err("the name of an action must stand in quotation marks".to_owned());
    };
    let action = match name.as_str() {
        "none" => None,
        name => Some(action_named(context, name)?),
    };
    Ok(Rebinding {
        context,
        key,
        action,
    })
}

fn action_named(context: Context, name: &str) -> Result<Action, String> {
    let all = actions_of(context);
    if let Some(action) = all.iter().find(|action| action.name() == name) {
        return Ok(*action);
    }
    let mut text = format!("there is no action “{name}” here");
    let names = all.iter().map(|action| action.name());
    if let Some(nearest) = crate::app::nearest::nearest(name, names.clone()) {
        // Writing to a String cannot fail.
        let _ = write!(text, "; did you mean “{nearest}”?");
    }
    let names: Vec<&str> = names.collect();
    let _ = write!(text, " There are: none, {}", names.join(", "));
    Err(text)
}

/// What a key can be bound to in this place.
fn actions_of(context: Context) -> Vec<Action> {
    let mut actions = Vec::new();
    for place in std::iter::once(&context).chain(context.beneath()) {
        for row in TABLE.iter().filter(|row| row.context == *place) {
            if !actions.contains(&row.action) {
                actions.push(row.action);
            }
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::{Keymap, Preset};

    const STACK: [Context; 3] = [Context::Composer, Context::Main, Context::Everywhere];

    fn keymap(text: &str) -> Keymap {
        Keymap::new(Preset::Plain, read(text).unwrap())
    }

    #[test]
    fn a_key_does_what_it_is_bound_to_and_no_longer_what_it_was() {
        let keymap = keymap(
            r#"
            [composer]
            "ctrl-s" = "send"
            "enter" = "new-line"
            "ctrl-k" = "delete-to-end"
            "ctrl-r" = "none"
            [list]
            "u" = "next-unread"
            "#,
        );
        let does = |key: &str| keymap.lookup(&STACK, key.parse().unwrap());
        assert_eq!(does("ctrl-s"), Some(Action::Send));
        assert_eq!(does("enter"), Some(Action::Newline));
        assert_eq!(does("ctrl-k").map(Action::name), Some("delete-to-end"));
        assert_eq!(does("ctrl-r"), None);
        let shown = keymap.key_for(Context::Composer, Action::Send);
        assert_eq!(shown, Some("ctrl-s".parse().unwrap()));
        let list = [Context::List, Context::Main];
        let unread = keymap.lookup(&list, "u".parse().unwrap());
        assert_eq!(unread, Some(Action::NextUnread));
        assert!(keymap.lookup(&list, "ctrl-r".parse().unwrap()).is_some());
    }

    #[test]
    fn changes_hold_in_another_preset_too() {
        let keymap = keymap("[composer]\n\"ctrl-b\" = \"undo\"").with_preset(Preset::Emacs);
        let does = keymap.lookup(&STACK, "ctrl-b".parse().unwrap());
        assert_eq!(does, Some(Action::Undo));
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_could_stand_there() {
        let wrong = [
            ("[compose]\n", "there are: everywhere, main"),
            ("[composer]\n\"ctrl-s\" = \"sned\"", "did you mean “send”?"),
            ("[composer]\n\"hyper-s\" = \"send\"", "ctrl-s, alt-enter"),
            ("[composer]\n\"s\" = \"send\"", "take it with ctrl- or alt-"),
            ("[composer]\n\"ctrl-s\" = 3", "quotation marks"),
            ("composer = 3", "must be a table"),
            ("[composer", "line 1"),
        ];
        for (text, words) in wrong {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let error = read("[list]\n\"x\" = \"sned\"").unwrap_err();
        assert!(error.starts_with("[list] \"x\": "), "{error}");
    }

    #[test]
    fn every_action_has_one_name_and_every_name_one_action() {
        for one in TABLE {
            for other in TABLE {
                let same = one.action == other.action;
                assert_eq!(same, one.action.name() == other.action.name());
            }
        }
    }
}
