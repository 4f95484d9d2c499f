//! Standard input as a lifeline: whoever started this process holds the other end, so its end is seen here however it
//! came about, even by SIGKILL.

use std::{io::BufRead, thread};

use tokio::sync::mpsc;

/// Lines of standard input; ends when the other side is gone.
pub fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        let input = std::io::stdin().lock().lines();
        for line in input.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits until the other side is gone.
pub async fn cut(mut lines: mpsc::UnboundedReceiver<String>) {
    while lines.recv().await.is_some() {}
}
