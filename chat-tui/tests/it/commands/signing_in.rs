//! `login`, `register`, `logout`, `whoami` and `config`: who a script is, and where that is kept.

use std::fs;

use super::{PASSWORD, Setting};

#[tokio::test(flavor = "multi_thread")]
async fn a_script_signs_in_with_a_password_from_a_file_or_a_pipe_and_out_again() {
    let setting = Setting::new().await;
    let script = setting.stranger("ana");
    let made = script
        .run_with(PASSWORD, &["register", "ana", "--display-name", "Ana K"])
        .await;
    assert_eq!((made.code, made.out.as_str()), (0, ""), "{}", made.err);
    let who = script.run(&["whoami"]).await;
    assert_eq!(who.out, format!("ana (Ana K) at {}\n", setting.url()));

    assert_eq!(script.run(&["logout"]).await.code, 0);
    for command in ["whoami", "logout", "tail", "conversations"] {
        let ran = script.run(&[command]).await;
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command}");
        assert!(ran.err.contains("chat-tui login"), "{}", ran.err);
    }
    let file = setting.home.path().join("password");
    fs::write(&file, format!("{PASSWORD}\nnot this line\n")).unwrap();
    let arguments = ["login", "ana", "--password-file", file.to_str().unwrap()];
    assert_eq!(script.run(&arguments).await.code, 0);
    assert_eq!(script.run(&["whoami"]).await.code, 0);
    // What was the server is known from then on.
    let mut without = script.command();
    let without = without
        .env_remove("CHAT_SERVER")
        .arg("whoami")
        .output()
        .await;
    assert_eq!(without.unwrap().stdout, who.out.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_says_why() {
    let mut setting = Setting::new().await;
    let script = setting.script("ana").await;
    let cases: &[(&str, &[&str], i32, &str)] = &[
        (
            "wrong horse battery",
            &["login", "ana"],
            5,
            "wrong user name or password",
        ),
        (PASSWORD, &["register", "ana"], 5, "taken"),
        (PASSWORD, &["register", "a b"], 5, "user name"),
        ("short", &["register", "bo"], 5, "password"),
        ("", &["login", "ana"], 2, "standard input"),
        (PASSWORD, &["login"], 2, "user name"),
        (
            "",
            &["login", "ana", "--password-file", "/nowhere"],
            1,
            "/nowhere",
        ),
        (
            PASSWORD,
            &["--profile", "../up", "login", "ana"],
            1,
            "profile",
        ),
    ];
    for (input, arguments, code, word) in cases {
        let ran = script.run_with(input, arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (*code, ""), "{}", ran.err);
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    // It is still signed in as before.
    assert_eq!(script.run(&["whoami"]).await.code, 0);
    setting.stop().await;
    for command in ["whoami", "logout", "tail"] {
        let ran = script.run(&[command]).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (4, ""),
            "{command}: {}",
            ran.err
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_one_profile_at_one_time_share_its_sign_in() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    setting.person("ana").await;
    // It may begin late: those that are said before are not more than the last hundred.
    let mut following = script.follow(&["--json", "-n", "100"]);
    let texts: Vec<String> = (0..12).map(|number| format!("number {number}")).collect();
    let sends = texts.iter().map(|text| async {
        let sent = script.run(&["send", "@ana", text]).await;
        assert_eq!(sent.code, 0, "{}", sent.err);
    });
    futures_util::future::join_all(sends).await;
    let mut read = Vec::new();
    for _ in &texts {
        let line = following.json().await;
        read.push(line["message"]["body"].as_str().unwrap().to_owned());
    }
    read.sort();
    let mut texts = texts;
    texts.sort();
    assert_eq!(read, texts);
    assert_eq!(script.run(&["whoami"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keyring_the_file_is_used_and_that_is_said_once() {
    let setting = Setting::new().await;
    let script = setting.stranger("ana");
    let made = script.run_with(PASSWORD, &["register", "ana"]).await;
    assert_eq!(made.code, 0);
    let told = made.err.matches("keyring").count();
    assert_eq!(told, usize::from(cfg!(feature = "keyring")), "{}", made.err);
    let kept = fs::read_to_string(script.file("credentials.toml")).unwrap();
    assert!(kept.contains("refresh_token") && !kept.contains("in_keyring"));
    let who = script.run(&["whoami"]).await;
    assert_eq!((who.code, who.err.as_str()), (0, ""));

    // One that cannot be asked for what it keeps is named.
    let elsewhere = kept.replace("refresh_token = ", "in_keyring = true\nwas = ");
    fs::write(script.file("credentials.toml"), elsewhere).unwrap();
    let who = script.run(&["whoami"]).await;
    assert_eq!(who.code, 1);
    assert!(
        who.err.contains("keyring") || who.err.contains("bus"),
        "{}",
        who.err
    );
}

#[cfg(all(unix, feature = "keyring"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_hangs_holds_nobody_up() {
    let setting = Setting::new().await;
    let script = setting.stranger("ana");
    // Whoever connects waits for ever.
    let bus = tokio::net::UnixListener::bind(setting.home.path().join("no-bus")).unwrap();
    let made = script.run_with(PASSWORD, &["register", "ana"]).await;
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.err.contains("does not answer"), "{}", made.err);
    assert_eq!(script.run(&["whoami"]).await.err, "");
    drop(bus);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_command_signs_in_again_when_a_sign_in_has_ended() {
    let setting = Setting::new().await;
    let script = setting.script("ana").await;
    assert_eq!(script.run(&["logout"]).await.code, 0);
    script.configure(
        "password_command = \"echo a word >&2; printf 'correct horse battery\\n2nd line\\n'\"",
    );
    let who = script.run(&["whoami"]).await;
    assert_eq!(who.code, 0, "{}", who.err);
    assert!(who.err.contains("a word"));
    // It is kept: the command is not asked each time.
    assert_eq!(script.run(&["whoami"]).await.err, "");
    assert_eq!(script.run(&["login", "ana"]).await.code, 0);

    script.run(&["logout"]).await;
    script.configure("password_command = \"echo locked >&2; exit 3\"");
    let who = script.run(&["whoami"]).await;
    assert_eq!(who.code, 1);
    for word in ["password_command", "3", "locked"] {
        assert!(who.err.contains(word), "{word}: {}", who.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_config_is_told_with_its_line_and_its_default_can_be_printed() {
    let setting = Setting::new().await;
    let script = setting.stranger("ana");
    let path = script.run(&["config", "--path"]).await.out;
    script.configure("# mine\nidle = 3\n");
    let told = script.run(&["whoami"]).await;
    assert_eq!(told.code, 2);
    for word in [path.trim(), "line 2", "`idle`", "`idle_after_minutes`"] {
        assert!(told.err.contains(word), "{word}: {}", told.err);
    }
    script.configure("");
    let default = script.run(&["config", "--print-default"]).await;
    assert_eq!(default.code, 0);
    script.configure(&default.out);
    assert_eq!(script.run(&["whoami"]).await.code, 3);
    let missing = script.run(&["--config", "/nowhere", "whoami"]).await;
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("/nowhere"));
    // The screen needs a terminal.
    let screen = script.run(&[]).await;
    assert_eq!(screen.code, 2);
    assert!(screen.err.contains("--help"));
}
