//! Requests and answers, bytes included.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The one value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "`{name}` stands twice: {:?}", self.headers);
        value.to_str().ok()
    }

    /// The wristband that came with the answer.
    pub fn wristband(&self) -> Option<&str> {
        self.header("x-wristband-token")
    }

    /// What the echo upstream received under this name.
    pub fn received(&self, name: &str) -> Option<&str> {
        self.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// All values that the echo upstream received under this name.
    pub fn received_all(&self, name: &str) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn agent() -> Agent {
    agent_with(TlsConfig::default())
}

fn agent_with(tls: TlsConfig) -> Agent {
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_response_header_size(1 << 20)
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(30)))
        .build();
    config.into()
}

fn read(mut response: Response<ureq::Body>) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_string().unwrap_or_default(),
    }
}

/// A request whose headers may stand twice and hold any byte that HTTP allows.
pub fn send(method: &str, url: &str, headers: &[(&str, &[u8])]) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    read(agent().run(request.body(()).unwrap()).unwrap_or_else(|error| panic!("{method} {url}: {error}")))
}

/// A GET with headers of text.
pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    send("GET", url, &headers)
}

pub fn get(url: &str) -> Answer {
    get_with(url, &[])
}

/// A GET over TLS with a client certificate or none; everything in PEM.
pub fn get_tls(url: &str, authority: &str, client: Option<(&str, &str)>, headers: &[(&str, &str)]) -> Answer {
    try_get_tls(url, authority, client, headers).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// As [`get_tls`], for handshakes that may be refused.
pub fn try_get_tls(
    url: &str,
    authority: &str,
    client: Option<(&str, &str)>,
    headers: &[(&str, &str)],
) -> Result<Answer, ureq::Error> {
    let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = client.map(|(chain, key)| {
        ClientCert::new_with_certs(&[certificate(chain)], PrivateKey::from_pem(key.as_bytes()).unwrap())
    });
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate(authority)])).client_cert(client);
    let mut request = agent_with(tls.build()).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.call().map(read)
}

/// A GET, or nothing if nobody answers.
pub fn try_get(url: &str) -> Option<Answer> {
    agent().get(url).call().ok().map(read)
}

/// The bytes of a good answer.
pub fn download(url: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.call().unwrap_or_else(|error| panic!("{url}: {error}"));
    assert_eq!(response.status(), 200, "{url}");
    response.body_mut().read_to_vec().unwrap()
}

/// A connection that is kept, for many requests with exactly these bytes. It is opened again if the server closes it.
pub struct Connection {
    authority: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    pub fn new(url: &str) -> Self {
        Self { authority: url.strip_prefix("http://").unwrap().to_owned(), stream: None }
    }

    /// A GET. The names of headers are sent as they are written.
    pub fn get(&mut self, path: &str, headers: &[(&str, &[u8])]) -> Answer {
        self.send("GET", path, headers)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &[u8])]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority).into_bytes();
        for (name, value) in headers {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        let stream = self.stream.get_or_insert_with(|| {
            let stream = TcpStream::connect(&self.authority).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        stream.get_mut().write_all(&request).unwrap();
        let answer = read_answer(stream, method == "HEAD");
        if answer.header("connection") == Some("close") {
            self.stream = None;
        }
        answer
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>, is_head: bool) -> Answer {
    let mut line = || {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).unwrap();
        line.strip_suffix(b"\r\n").expect("a line ends with CRLF").to_vec()
    };
    let status = String::from_utf8(line()).unwrap();
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let mut headers = HeaderMap::new();
    loop {
        let line = line();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            assert_eq!(line, b"", "a header has a colon");
            break;
        };
        headers.append(
            HeaderName::from_bytes(&line[..colon]).unwrap(),
            HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap(),
        );
    }
    let length = headers.get("content-length").and_then(|value| value.to_str().ok());
    assert!(!headers.contains_key("transfer-encoding"), "no test needs it: {headers:?}");
    let length = match length {
        Some(length) if !is_head && status != 304 => length.parse().unwrap(),
        _ => 0,
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}
