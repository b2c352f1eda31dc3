//! A server of JWK Sets that does what it is told, on a real socket.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it answers with.
#[derive(Clone)]
pub enum Answers {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// Nothing at all.
    Hangs,
    /// The beginning, and then no more for long.
    Drips,
    /// It closes the connection.
    Closes,
}

pub struct JwksServer {
    pub port: u16,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<AtomicUsize>,
    /// The last request.
    last: Arc<Mutex<String>>,
}

impl JwksServer {
    pub fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, answers: Arc::new(Mutex::new(answers)), asked: Arc::default(), last: Arc::default() };
        let (answers, asked, last) = (Arc::clone(&server.answers), Arc::clone(&server.asked), Arc::clone(&server.last));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, asked, last) = (Arc::clone(&answers), Arc::clone(&asked), Arc::clone(&last));
                std::thread::spawn(move || serve(stream.unwrap(), &answers, &asked, &last));
            }
        });
        server
    }

    pub fn answer_with(&self, answers: Answers) {
        *self.answers.lock().unwrap() = answers;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn last(&self) -> String {
        self.last.lock().unwrap().clone()
    }
}

/// Keeps the connection, as servers do.
fn serve(mut stream: TcpStream, answers: &Mutex<Answers>, asked: &AtomicUsize, last: &Mutex<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..count]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        *last.lock().unwrap() = String::from_utf8_lossy(&request).into_owned();
        request.clear();
        asked.fetch_add(1, Ordering::SeqCst);
        let answers = answers.lock().unwrap().clone();
        match answers {
            Answers::Bytes(bytes) => drop(stream.write_all(&bytes)),
            Answers::Hangs => std::thread::sleep(Duration::from_secs(60)),
            Answers::Drips => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{");
                for _ in 0..60 {
                    std::thread::sleep(Duration::from_secs(1));
                    if stream.write_all(b" ").is_err() {
                        return;
                    }
                }
            }
            Answers::Closes => return,
        }
    }
}

/// An answer with this status, these headers and this body.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Answers {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    Answers::Bytes([head.as_bytes(), body].concat())
}

/// A set as it should come.
pub fn ok(set: &serde_json::Value) -> Answers {
    answer("200 OK", "content-type: application/json\r\n", set.to_string().as_bytes())
}
