//! Messages: their headers as bytes, the one credential of a request, cookies, answers of our own and the documents that
//! we publish. Nothing here decides whom to believe.

pub mod set_cookie;
pub mod credential;
pub mod discovery;
pub mod headers;
mod name;
pub mod reply;
mod trust_document;
