//! A mail server that keeps what it is sent, and can be in a bad mood.

use crate::eml::Eml;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Its answers to the next messages; when none is left, it takes them.
#[derive(Default)]
struct State {
    moods: Vec<&'static str>,
    received: Vec<Eml>,
    refused: usize,
}

#[derive(Clone)]
pub struct MailServer {
    pub url: String,
    state: Arc<Mutex<State>>,
    _task: Arc<AbortOnDropHandle<()>>,
}

impl MailServer {
    /// `moods`: what it answers instead of taking the first messages.
    pub async fn start(moods: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { moods: moods.to_vec(), ..State::default() }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, shared.clone()));
            }
        });
        Self { url, state, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    pub fn received(&self) -> Vec<Eml> {
        self.state.lock().unwrap().received.clone()
    }

    pub fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }
}

async fn talk(stream: TcpStream, state: Arc<Mutex<State>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let mut answer = "220 mail.example.com".to_owned();
    loop {
        if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        if lines.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        answer = match line.split_whitespace().next() {
            Some("DATA") => {
                write.write_all(b"354 go on\r\n").await.unwrap();
                let mut message = String::new();
                while !message.ends_with("\r\n.\r\n") {
                    lines.read_line(&mut message).await.unwrap();
                }
                let mut state = state.lock().unwrap();
                if state.moods.is_empty() {
                    state.received.push(Eml::parse(message.trim_end_matches(".\r\n")));
                    "250 taken".to_owned()
                } else {
                    state.refused += 1;
                    state.moods.remove(0).to_owned()
                }
            }
            Some("QUIT") => "221 bye".to_owned(),
            _ => "250 well".to_owned(),
        };
    }
}
