//! `keygen`: a private key that nobody else has, and the stanzas in which it and its public half stand.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;

use super::Output;
use super::output::{Failure, note};
use super::stanzas::{self, Key, PLACEHOLDER};
use crate::jose::algorithm::Algorithm;
use crate::keys::{self, Material, PublicKey};

/// Writes the key and its public half, and prints both stanzas.
pub(super) fn run(
    name: &str,
    issuer: Option<&str>,
    algorithm: Algorithm,
    out: Option<PathBuf>,
    output: Output,
) -> Result<ExitCode, Failure> {
    let is_name = !name.is_empty() && name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let is_file = !name.contains('/') && !name.starts_with('.') && !name.starts_with('-');
    if !is_name || out.is_none() && !is_file {
        return Err(Failure::Usage(
            "NAME: expected 1 to 255 visible ASCII characters, and with `/` in it --out".to_owned(),
        ));
    }
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{name}.pem")));
    let public_file = beside(&out);
    let private = keys::generate(algorithm, &mut UnwrapErr(SysRng));
    let private = private.ok_or_else(|| Failure::Usage("no key can be made; is there no randomness?".to_owned()))?;
    let public = public_half(&private, algorithm)?;
    let public_text = stanzas::pem(&public)?;
    let text = text(name, issuer.unwrap_or(PLACEHOLDER), &public)?;
    write(&public_file, &public_text, 0o644)?;
    // Neither without the other.
    write(&out, &private, 0o600).inspect_err(|_| drop(fs::remove_file(&public_file)))?;
    note(&format!("wristband: wrote {} (keep it secret) and {}", out.display(), public_file.display()));
    stanzas::print_stanza(&text, output)
}

/// `east.pem` has `east.pub.pem` beside it.
fn beside(out: &Path) -> PathBuf {
    let stem = out.file_stem().unwrap_or(out.as_os_str()).to_string_lossy();
    out.with_file_name(format!("{stem}.pub.pem"))
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failure = |error: std::io::Error| {
        let is_there = error.kind() == ErrorKind::AlreadyExists;
        let why = if is_there { "is there already, and is not overwritten".to_owned() } else { error.to_string() };
        Failure::Usage(format!("{}: {why}", file.display()))
    };
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failure)?;
    // A half of a key is none.
    let written = opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all());
    written.map_err(failure).inspect_err(|_| drop(fs::remove_file(file)))
}

/// The public half, as the filter reads it.
fn public_half(private: &str, algorithm: Algorithm) -> Result<PublicKey, Failure> {
    match Material::parse(private, algorithm) {
        Ok(Material::Private(key)) => Ok(key.public_key()),
        _ => Err(Failure::Usage("the new key cannot be read".to_owned())),
    }
}

fn text(name: &str, issuer: &str, public: &PublicKey) -> Result<String, Failure> {
    let algorithm = public.algorithm().name();
    let variable = stanzas::variable(name);
    let key = Key::new(name.to_owned(), public.clone());
    stanzas::accepted_as_ours(issuer, &key)?;
    let peers = stanzas::peers(issuer, &[key])?;
    Ok(format!(
        "# At this gateway. The variable holds the text of the private key, and stands in `host_env_keys` too.\n\
         issuer: {}\nsigningKeyRefs:\n- name: {}\n  algorithm: {algorithm}\n  key: {{environmentVariable: {variable}}}\n\
         # In a file that the filter fetches, the key's name is its thumbprint, here and at the peers:\n# {}\n\
         \n# At each peer that is to accept its wristbands.\n{peers}",
        stanzas::quoted(issuer),
        stanzas::quoted(name),
        public.thumbprint(),
    ))
}
