//! Accepting a token once: a bounded memory of the tokens that were accepted, shared by the workers of an Envoy.
//!
//! The memory is a table of buckets in Envoy's shared data, so that a request reads and writes a few hundred bytes
//! however large it is. A token belongs to one bucket by its hash. A full bucket forgets a token of the issuer that has
//! most of them there, the one that expires first, so that no issuer can make it forget another's beyond its share. What
//! is forgotten could be used again; how likely that is depends on the size chosen.
//!
//! Every bucket is made at load, by the main thread, before any worker uses it: two workers that both find nothing would
//! both write their own first version.

use sha2::{Digest as _, Sha256};

use crate::denial::Denial;
use crate::host::{Host, Setup, Written};
use crate::time::Timestamp;

/// Tokens in a bucket.
const BUCKET: u8 = 8;
/// The first bytes of a token's hash: enough that two tokens are never taken for one.
const HASH: usize = 16;
/// The same for an issuer, which only has to be told from the few others in a bucket.
const ISSUER: usize = 8;
/// Both hashes and the time until which they have to be remembered.
const ENTRY: usize = 32;
/// How often a write that another worker has overtaken is tried again.
const TRIES: usize = 32;

/// A memory of accepted tokens.
#[derive(Debug)]
pub struct Replay {
    buckets: u64,
    /// Before the number of a bucket. Plugins of other names have memories of their own.
    prefix: String,
}

#[derive(Clone)]
struct Entry {
    hash: [u8; HASH],
    issuer: [u8; ISSUER],
    until: Timestamp,
}

impl Replay {
    /// A memory of about `tokens` tokens; `None` when the host keeps no shared data.
    pub fn reserve(tokens: u32, setup: &impl Setup) -> Option<Self> {
        let buckets = u64::from(tokens.div_ceil(BUCKET.into()));
        let replay = Self { buckets, prefix: format!("wristband.replay.{}.{buckets}.", setup.plugin_name()) };
        (0..buckets).all(|bucket| setup.reserve(&replay.key(bucket))).then_some(replay)
    }

    fn key(&self, bucket: u64) -> String {
        format!("{}{bucket}", self.prefix)
    }

    /// Remembers a token of `issuer` with this `jti` until it has expired.
    ///
    /// # Errors
    /// [`Denial::Replayed`] when it is remembered already, or when nothing can be remembered: what cannot be kept once
    /// is not let through.
    pub fn admit(
        &self,
        issuer: &str,
        id: &str,
        until: Timestamp,
        now: Timestamp,
        host: &impl Host,
    ) -> Result<(), Denial> {
        let hash = hash(issuer, id);
        let bucket = u64::from_le_bytes(first(&hash)).checked_rem(self.buckets).unwrap_or_default();
        let key = self.key(bucket);
        for _ in 0..TRIES {
            let (bytes, version) = host.shared(&key).ok_or(Denial::Replayed)?;
            let mut entries: Vec<_> = read(&bytes).filter(|entry| entry.until >= now).collect();
            if entries.iter().any(|entry| entry.hash == hash) {
                return Err(Denial::Replayed);
            }
            entries.push(Entry { hash, issuer: first(&Sha256::digest(issuer)), until });
            if entries.len() > BUCKET.into() {
                forget_one(&mut entries);
            }
            match host.share(&key, &write(&entries), version) {
                Written::Done => return Ok(()),
                Written::Overtaken => {}
                Written::Refused => return Err(Denial::Replayed),
            }
        }
        Err(Denial::Replayed)
    }
}

/// Forgets, of the issuer with most entries, the one that expires first. Never the last entry, which is being admitted:
/// what expires before all others would pass as often as it comes.
fn forget_one(entries: &mut Vec<Entry>) {
    let share = |issuer: &[u8; ISSUER]| entries.iter().filter(|entry| entry.issuer == *issuer).count();
    let others = entries.iter().enumerate().take(BUCKET.into());
    let first = others.min_by_key(|(_, entry)| (std::cmp::Reverse(share(&entry.issuer)), entry.until));
    if let Some(index) = first.map(|(index, _)| index) {
        entries.remove(index);
    }
}

/// The length before the issuer keeps two pairs from having the same text.
fn hash(issuer: &str, id: &str) -> [u8; HASH] {
    let mut hasher = Sha256::new();
    hasher.update(issuer.len().to_string());
    hasher.update(b" ");
    hasher.update(issuer);
    hasher.update(id);
    first(&hasher.finalize())
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn read(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    bytes.chunks_exact(ENTRY).filter_map(|entry| {
        let (hash, rest) = entry.split_first_chunk()?;
        let (issuer, until) = rest.split_first_chunk()?;
        Some(Entry { hash: *hash, issuer: *issuer, until: Timestamp(i64::from_le_bytes(*until.first_chunk()?)) })
    })
}

fn write(entries: &[Entry]) -> Vec<u8> {
    let bytes = |entry: &Entry| [&entry.hash[..], &entry.issuer, &entry.until.0.to_le_bytes()].concat();
    entries.iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fake, NOW};

    fn memory(tokens: u32) -> (Replay, Fake) {
        let host = Fake::default();
        (Replay::reserve(tokens, &host).unwrap(), host)
    }

    #[test]
    fn a_token_is_admitted_once_until_it_has_expired() {
        let (replay, host) = memory(100);
        let admit = |issuer, id, now| replay.admit(issuer, id, NOW.after(10), now, &host);
        assert_eq!(admit("a", "1", NOW), Ok(()));
        assert_eq!(admit("a", "1", NOW), Err(Denial::Replayed));
        assert_eq!(admit("a", "1", NOW.after(10)), Err(Denial::Replayed));
        // By then the verifier refuses it as expired.
        assert_eq!(admit("a", "1", NOW.after(11)), Ok(()));
        for (issuer, id) in [("a", "2"), ("b", "1"), ("a1", ""), ("", "a1")] {
            assert_eq!(admit(issuer, id, NOW), Ok(()), "{issuer} {id}");
        }
    }

    #[test]
    fn a_full_bucket_forgets_what_expires_first() {
        let (replay, host) = memory(1);
        for token in 0..9u32 {
            assert_eq!(replay.admit("a", &token.to_string(), NOW.after(100 + token), NOW, &host), Ok(()));
        }
        // The first had the least time left when the ninth came.
        for token in [1, 2, 7, 8u32] {
            assert_eq!(
                replay.admit("a", &token.to_string(), NOW.after(99), NOW, &host),
                Err(Denial::Replayed),
                "{token}"
            );
        }
        assert_eq!(replay.admit("a", "0", NOW.after(99), NOW, &host), Ok(()));
        assert_eq!(host.shared.borrow().len(), 1);
    }

    #[test]
    fn what_expires_before_all_others_is_remembered_too() {
        let (replay, host) = memory(1);
        for token in 0..8u32 {
            assert_eq!(replay.admit("a", &token.to_string(), NOW.after(20_000), NOW, &host), Ok(()));
        }
        for issuer in ["a", "b"] {
            assert_eq!(replay.admit(issuer, "soon", NOW.after(300), NOW, &host), Ok(()), "{issuer}");
            assert_eq!(replay.admit(issuer, "soon", NOW.after(300), NOW, &host), Err(Denial::Replayed), "{issuer}");
        }
    }

    #[test]
    fn one_issuer_cannot_make_it_forget_another_s() {
        let (replay, host) = memory(1);
        let admit = |issuer, id: &str, seconds| replay.admit(issuer, id, NOW.after(seconds), NOW, &host);
        for id in ["1", "2", "3"] {
            assert_eq!(admit("a", id, 10), Ok(()));
        }
        for flood in 0..100u32 {
            assert_eq!(admit("b", &flood.to_string(), 80_000), Ok(()));
        }
        for id in ["1", "2", "3"] {
            assert_eq!(admit("a", id, 10), Err(Denial::Replayed), "{id}");
        }
    }

    #[test]
    fn what_cannot_be_remembered_is_not_let_through() {
        for write_fails in [Written::Overtaken, Written::Refused] {
            let host = Fake { write_fails: Some(write_fails), ..Fake::default() };
            let replay = Replay::reserve(100, &host).unwrap();
            assert_eq!(replay.admit("a", "1", NOW, NOW, &host), Err(Denial::Replayed), "{write_fails:?}");
        }
        let (replay, _) = memory(100);
        // Without the bucket that was reserved.
        assert_eq!(replay.admit("a", "1", NOW, NOW, &Fake::default()), Err(Denial::Replayed));
    }

    #[test]
    fn of_two_workers_with_one_token_at_once_one_accepts_it() {
        let (replay, host) = memory(1);
        let rival = Entry { hash: hash("a", "1"), issuer: first(&Sha256::digest("a")), until: NOW.after(10) };
        host.meanwhile.replace(Some(write(&[rival])));
        assert_eq!(replay.admit("a", "1", NOW.after(10), NOW, &host), Err(Denial::Replayed));
        // Another token that came meanwhile is kept beside ours.
        let rival = Entry { hash: hash("a", "2"), issuer: first(&Sha256::digest("a")), until: NOW.after(10) };
        let (replay, host) = memory(1);
        host.meanwhile.replace(Some(write(&[rival])));
        for (id, expected) in [("1", Ok(())), ("1", Err(Denial::Replayed)), ("2", Err(Denial::Replayed))] {
            assert_eq!(replay.admit("a", id, NOW.after(10), NOW, &host), expected, "{id}");
        }
    }
}
