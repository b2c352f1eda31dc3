//! Requests and answers, bytes included.

use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, HeaderValue, Request, Response};
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
    let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = client.map(|(chain, key)| {
        ClientCert::new_with_certs(&[certificate(chain)], PrivateKey::from_pem(key.as_bytes()).unwrap())
    });
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[certificate(authority)])).client_cert(client);
    let mut request = agent_with(tls.build()).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.call().unwrap_or_else(|error| panic!("{url}: {error}")))
}

/// A GET, or nothing if nobody answers.
pub fn try_get(url: &str) -> Option<Answer> {
    agent().get(url).call().ok().map(read)
}
