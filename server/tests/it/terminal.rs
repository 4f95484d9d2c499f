//! What is asked on a terminal: passwords and passphrases without echo and twice, and the word that has to be typed before
//! something is replaced. `script` (util-linux) makes the terminal, `stty` tells whether it shows what is typed.

use std::{
    fs,
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::harness::{Home, home_with_key, until};

const PASSPHRASE: &str = "correct horse battery";

/// A command that runs on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
    /// Path of the terminal.
    device: String,
}

impl Terminal {
    fn run(home: &Home, arguments: &str) -> Self {
        let inner = format!("tty; exec {} {arguments}", env!("CARGO_BIN_EXE_ollama-fortress"));
        let mut child = home
            .command_of(
                "script",
                &["--quiet", "--return", "--flush", "--echo", "always", "--command", &inner, "/dev/null"],
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script of util-linux");
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut piece) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        let mut terminal = Self { child, keyboard, screen, device: String::new() };
        terminal.device = until("the terminal's name", || {
            let screen = terminal.screen();
            screen.split_once('\n').map(|(name, _)| name.trim().to_owned())
        });
        terminal
    }

    fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    fn shows_what_is_typed(&self) -> bool {
        let told = Command::new("stty").args(["--all", "--file", &self.device]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        !told.split_whitespace().any(|word| word == "-echo")
    }

    /// Types `text` once `question` is on the screen; a `secret` once nothing is shown any more.
    fn answer(&mut self, question: &str, text: &str, secret: bool) {
        until(question, || (self.screen().contains(question)).then_some(()));
        until("echo is as it must be", || (self.shows_what_is_typed() != secret).then_some(()));
        self.keyboard.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    fn secret(&mut self, question: &str, text: &str) {
        self.answer(question, text, true);
    }

    /// Exit code, and everything that was on the screen.
    fn end(mut self) -> (Option<i32>, String) {
        let status = until("the command ends", || self.child.try_wait().unwrap());
        (status.code(), self.screen())
    }
}

#[test]
fn a_new_backup_asks_twice_for_its_passphrase_and_never_shows_it() {
    let (home, _) = home_with_key();
    let mut terminal = Terminal::run(&home, "backup a.backup");
    terminal.secret("Passphrase of the backup: ", PASSPHRASE);
    terminal.secret("Again: ", "correct horse batterie");
    let (code, screen) = terminal.end();
    assert!(code == Some(64) && screen.contains("the two entries differ"), "{screen}");
    assert!(!home.path().join("a.backup").exists());

    let mut terminal = Terminal::run(&home, "backup a.backup");
    terminal.secret("Passphrase of the backup: ", "elevenchars");
    let (code, screen) = terminal.end();
    assert!(code == Some(64) && screen.contains("at least 12 characters") && !screen.contains("Again"), "{screen}");

    let mut terminal = Terminal::run(&home, "backup a.backup");
    terminal.secret("Passphrase of the backup: ", PASSPHRASE);
    terminal.secret("Again: ", PASSPHRASE);
    let (code, screen) = terminal.end();
    assert!(code == Some(0) && screen.contains("a.backup written") && !screen.contains(PASSPHRASE), "{screen}");

    let mut terminal = Terminal::run(&home, "backup verify a.backup");
    terminal.secret("Passphrase of the backup: ", PASSPHRASE);
    let (code, screen) = terminal.end();
    assert!(code == Some(0) && screen.contains("revision"), "{screen}");
    assert!(!screen.contains("Again") && !screen.contains(PASSPHRASE), "{screen}");
}

#[test]
fn a_restore_replaces_nothing_before_its_word_is_typed() {
    let (home, _) = home_with_key();
    let made = home.run_with(&format!("{PASSPHRASE}\n"), &["backup", "a.backup", "--passphrase-stdin"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    home.ok(&["user", "add", "after"]);
    for word in ["", "yes", "y", "Restore", "restore it", "\u{4}"] {
        let mut terminal = Terminal::run(&home, "restore a.backup");
        terminal.secret("Passphrase of the backup: ", PASSPHRASE);
        terminal.answer("Type restore to go on: ", word, false);
        let (code, screen) = terminal.end();
        assert!(code == Some(1) && screen.contains("nothing was restored"), "{word:?}: {screen}");
        assert!(screen.contains("is kept beside it") && !screen.contains(PASSPHRASE), "{screen}");
    }
    let mut terminal = Terminal::run(&home, "restore a.backup");
    terminal.secret("Passphrase of the backup: ", "another passphrase");
    let (code, screen) = terminal.end();
    assert!(code == Some(1) && screen.contains("passphrase is wrong") && !screen.contains("Type restore"), "{screen}");
    assert_eq!(home.names(&["user", "list"]), ["ada", "after"]);
    let kept = || {
        let names = fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("db.")).collect::<Vec<_>>()
    };
    assert!(kept().iter().all(|name| name == "db.lock"), "{:?}", kept());

    let mut terminal = Terminal::run(&home, "restore a.backup");
    terminal.secret("Passphrase of the backup: ", PASSPHRASE);
    terminal.answer("Type restore to go on: ", " restore ", false);
    let (code, screen) = terminal.end();
    assert!(code == Some(0) && screen.contains("everybody has to sign in again"), "{screen}");
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    assert!(kept().iter().any(|name| name.starts_with("db.before-restore-")), "{:?}", kept());
}

#[test]
fn an_administrators_password_is_asked_twice_and_never_shown() {
    let (home, _) = home_with_key();
    for (again, expected) in [("another fine phrase", 64), (PASSPHRASE, 0)] {
        let mut terminal = Terminal::run(&home, "admin create root");
        terminal.secret("Password: ", PASSPHRASE);
        terminal.secret("Again: ", again);
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(expected), "{screen}");
        assert!(
            !screen.contains(PASSPHRASE) && screen.contains("the two entries differ") == (expected == 64),
            "{screen}"
        );
        assert_eq!(home.names(&["admin", "list"]).len(), usize::from(expected == 0));
    }
}
