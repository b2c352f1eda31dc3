//! Accepting a token once: a bounded memory of the tokens that were accepted, shared by the workers of an Envoy.
//!
//! Each issuer has a share of it, so that none can fill it for another. A share is kept in buckets, values of Envoy's shared
//! data, so that a request reads and writes a few kilobytes however large it is. A token belongs to one bucket by its hash.
//! A memory of up to 128 tokens has one bucket for each share, and is exact; with more buckets each has room beside its part,
//! since tokens do not spread evenly. When a bucket is full of tokens that could still be used, the next one is denied, or
//! the one that expires first is forgotten.
//!
//! Every bucket is made at load, by the main thread, before any worker uses it: two workers that both find nothing would
//! both write their own first version. How many there are depends on the size of the memory, and on the number of issuers only
//! where there would be more than 16,384: issuers come and go, and what is remembered of the others stays.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use crate::denial::Cause;
use crate::host::{Host, Setup, Written};
use crate::time::Timestamp;

/// Tokens in a bucket, on the average.
const BUCKET: u32 = 128;
/// Buckets of all issuers together: each is made, and looked for, with every update.
const MOST_BUCKETS: u32 = 16_384;
/// The first bytes of a token's hash: enough that two tokens are never taken for one.
const HASH: usize = 16;
/// The hash and the time until which it has to be remembered.
const ENTRY: usize = 24;
/// How often a write that another worker has overtaken is tried again.
const TRIES: usize = 32;

/// A memory of accepted tokens.
#[derive(Debug)]
pub struct Replay {
    buckets: u64,
    /// How many tokens a bucket of an issuer holds.
    capacity: usize,
    on_full: OnFull,
    /// Of each issuer, what stands before the number of a bucket. Plugins of other names have memories of their own.
    shares: HashMap<String, String>,
}

/// What happens to a token for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It is denied.
    Deny,
    /// The one that expires first is forgotten, and could be used again.
    Forget,
}

#[derive(Clone)]
struct Entry {
    hash: [u8; HASH],
    until: Timestamp,
}

impl Replay {
    /// A memory of about `tokens` tokens, shared out among these issuers; `None` when the host keeps no shared data.
    pub fn reserve<'i>(
        tokens: u32,
        on_full: OnFull,
        issuers: impl Iterator<Item = &'i str>,
        setup: &impl Setup,
    ) -> Option<Self> {
        let plugin = setup.plugin_name();
        let issuers: HashSet<_> = issuers.collect();
        let count = u32::try_from(issuers.len()).unwrap_or(u32::MAX).max(1);
        let most = MOST_BUCKETS.checked_div(count).unwrap_or_default().max(1);
        let buckets = tokens.div_ceil(BUCKET).min(most);
        let capacity = capacity(tokens.checked_div(count).unwrap_or(tokens), buckets);
        let share = |issuer: &str| {
            let issuer: String = Sha256::digest(issuer).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("wristband.replay.{plugin}.{buckets}.{issuer}.")
        };
        let shares: HashMap<_, _> = issuers.into_iter().map(|issuer| (issuer.to_owned(), share(issuer))).collect();
        let buckets = u64::from(buckets);
        let is_reserved = |share: &String| (0..buckets).all(|bucket| setup.reserve(&format!("{share}{bucket}")));
        shares.values().all(is_reserved).then_some(Self { buckets, capacity, on_full, shares })
    }

    /// Remembers a token of `issuer` with this `jti` until it has expired. Returns whether another one was forgotten for it.
    ///
    /// # Errors
    /// [`Cause::Again`] when it is remembered already, [`Cause::NoMemory`] when nothing can be remembered: what cannot be kept
    /// once is not let through. [`Cause::MemoryFull`] when there is no room.
    pub fn admit(
        &self,
        issuer: &str,
        id: &str,
        until: Timestamp,
        now: Timestamp,
        host: &impl Host,
    ) -> Result<bool, Cause> {
        let hash: [u8; HASH] = first(&Sha256::digest(id));
        let bucket = u64::from_le_bytes(first(&hash)).checked_rem(self.buckets).unwrap_or_default();
        let key = format!("{}{bucket}", self.shares.get(issuer).ok_or(Cause::NoMemory)?);
        for _ in 0..TRIES {
            let (bytes, version) = host.shared(&key).ok_or(Cause::NoMemory)?;
            let mut entries: Vec<_> = read(&bytes).filter(|entry| entry.until >= now).collect();
            if entries.iter().any(|entry| entry.hash == hash) {
                return Err(Cause::Again);
            }
            let is_full = entries.len() >= self.capacity;
            if is_full && self.on_full == OnFull::Deny {
                return Err(Cause::MemoryFull);
            }
            // As many as are too many after a change of the size; never the one that is being admitted.
            while entries.len() >= self.capacity
                && let Some(first) = entries.iter().map(|entry| entry.until).min()
                && let Some(index) = entries.iter().position(|entry| entry.until == first)
            {
                entries.swap_remove(index);
            }
            entries.push(Entry { hash, until });
            match host.share(&key, &write(&entries), version) {
                Written::Done => return Ok(is_full),
                Written::Overtaken => {}
                Written::Refused => return Err(Cause::NoMemory),
            }
        }
        Err(Cause::NoMemory)
    }
}

/// How many tokens a bucket holds so that a share of so many fits into its buckets. Tokens spread over them at random, and six
/// standard deviations above their number hardly ever come together: room for a few times as many as meant where the share is
/// small beside the whole memory.
fn capacity(share: u32, buckets: u32) -> usize {
    let mean = share.checked_div(buckets).unwrap_or_default().max(1);
    let room = if buckets > 1 { mean.isqrt().saturating_add(1).saturating_mul(6) } else { 0 };
    usize::try_from(mean.saturating_add(room)).unwrap_or(usize::MAX)
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

fn read(bytes: &[u8]) -> impl Iterator<Item = Entry> {
    bytes.chunks_exact(ENTRY).filter_map(|entry| {
        let (hash, until) = entry.split_first_chunk()?;
        Some(Entry { hash: *hash, until: Timestamp(i64::from_le_bytes(*until.first_chunk()?)) })
    })
}

fn write(entries: &[Entry]) -> Vec<u8> {
    let bytes = |entry: &Entry| [&entry.hash[..], &entry.until.0.to_le_bytes()].concat();
    entries.iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fake, NOW};

    fn memory(tokens: u32, on_full: OnFull) -> (Replay, Fake) {
        let host = Fake::default();
        (Replay::reserve(tokens, on_full, ["a", "b"].into_iter(), &host).unwrap(), host)
    }

    #[test]
    fn a_token_is_admitted_once_until_it_has_expired() {
        let (replay, host) = memory(100, OnFull::Deny);
        let admit = |issuer, id, now| replay.admit(issuer, id, NOW.after(10), now, &host);
        assert_eq!(admit("a", "1", NOW), Ok(false));
        assert_eq!(admit("a", "1", NOW), Err(Cause::Again));
        assert_eq!(admit("a", "1", NOW.after(10)), Err(Cause::Again));
        // By then the verifier refuses it as expired.
        assert_eq!(admit("a", "1", NOW.after(11)), Ok(false));
        for (issuer, id) in [("a", "2"), ("b", "1")] {
            assert_eq!(admit(issuer, id, NOW), Ok(false), "{issuer} {id}");
        }
        // Nobody has reserved anything for others.
        assert_eq!(admit("c", "1", NOW), Err(Cause::NoMemory));
    }

    #[test]
    fn a_full_share_denies_and_forgets_nothing_until_something_has_expired() {
        let (replay, host) = memory(10, OnFull::Deny);
        let admit = |issuer, id: u32, now| replay.admit(issuer, &id.to_string(), NOW.after(100 + id), now, &host);
        for id in 0..5 {
            assert_eq!(admit("a", id, NOW), Ok(false));
        }
        assert_eq!(admit("a", 5, NOW), Err(Cause::MemoryFull));
        for id in 0..5 {
            assert_eq!(admit("a", id, NOW), Err(Cause::Again), "{id}");
            assert_eq!(admit("b", id, NOW), Ok(false), "the other's share");
        }
        assert_eq!(admit("a", 5, NOW.after(101)), Ok(false));
        assert_eq!(admit("a", 6, NOW.after(101)), Err(Cause::MemoryFull));
    }

    #[test]
    fn a_full_share_forgets_what_expires_first_if_it_is_told_to() {
        let (replay, host) = memory(16, OnFull::Forget);
        let admit = |id: &str, seconds| replay.admit("a", id, NOW.after(seconds), NOW, &host);
        for id in 0..8u32 {
            assert_eq!(admit(&id.to_string(), 100 + id), Ok(false));
        }
        // It has less time left than all others, and is not the one that is forgotten.
        assert_eq!(admit("soon", 1), Ok(true));
        assert_eq!(admit("soon", 1), Err(Cause::Again));
        for id in 1..8u32 {
            assert_eq!(admit(&id.to_string(), 99), Err(Cause::Again), "{id}");
        }
        assert_eq!(admit("0", 99), Ok(true));
    }

    #[test]
    fn a_share_of_many_buckets_has_room_for_all_of_it() {
        let (replay, host) = memory(4000, OnFull::Deny);
        assert_eq!(host.shared.borrow().len(), 2 * 32);
        let admit = |id: u32| replay.admit("a", &id.to_string(), NOW.after(10), NOW, &host);
        assert!((0..2000).all(|id| admit(id) == Ok(false)));
        let denied = (2000..8000).filter(|id| admit(*id) == Err(Cause::MemoryFull)).count();
        assert!(denied > 4000, "{denied}");
        assert!((0..2000).all(|id| admit(id) == Err(Cause::Again)));
    }

    #[test]
    fn there_are_never_more_buckets_than_an_update_can_walk_through() {
        for (tokens, issuers, most) in [(1_000_000, 100, 16_400), (1_000_000, 1, 7_813), (1000, 3, 24), (10, 500, 500)]
        {
            let host = Fake::default();
            let names: Vec<_> = (0..issuers).map(|issuer| issuer.to_string()).collect();
            Replay::reserve(tokens, OnFull::Deny, names.iter().map(String::as_str), &host).unwrap();
            assert!(host.shared.borrow().len() <= most, "{tokens} {issuers} {}", host.shared.borrow().len());
        }
    }

    #[test]
    fn a_memory_lasts_when_issuers_come_and_go_and_plugins_have_one_each() {
        let host = Fake::default();
        let of = |issuers: &[&'static str], host: &Fake| {
            Replay::reserve(1000, OnFull::Deny, issuers.iter().copied(), host).unwrap()
        };
        let admit = |replay: &Replay, host: &Fake| replay.admit("a", "1", NOW.after(10), NOW, host);
        assert_eq!(admit(&of(&["a"], &host), &host), Ok(false));
        assert_eq!(admit(&of(&["a", "b", "c"], &host), &host), Err(Cause::Again));
        let other = Fake { plugin_name: "other", shared: host.shared, ..Fake::default() };
        assert_eq!(admit(&of(&["a"], &other), &other), Ok(false));
        assert_eq!(admit(&of(&["a"], &other), &other), Err(Cause::Again));
    }

    #[test]
    fn what_cannot_be_remembered_is_not_let_through() {
        for write_fails in [Written::Overtaken, Written::Refused] {
            let host = Fake { write_fails: Some(write_fails), ..Fake::default() };
            let replay = Replay::reserve(100, OnFull::Forget, ["a"].into_iter(), &host).unwrap();
            assert_eq!(replay.admit("a", "1", NOW, NOW, &host), Err(Cause::NoMemory), "{write_fails:?}");
        }
        let (replay, _) = memory(100, OnFull::Forget);
        // Without the bucket that was reserved.
        assert_eq!(replay.admit("a", "1", NOW, NOW, &Fake::default()), Err(Cause::NoMemory));
    }

    #[test]
    fn of_two_workers_with_one_token_at_once_one_accepts_it() {
        let rival = |id: &str| write(&[Entry { hash: first(&Sha256::digest(id)), until: NOW.after(10) }]);
        let (replay, host) = memory(1, OnFull::Forget);
        host.meanwhile.replace(Some(rival("1")));
        assert_eq!(replay.admit("a", "1", NOW.after(10), NOW, &host), Err(Cause::Again));
        // Another token that came meanwhile is kept beside ours.
        let (replay, host) = memory(10, OnFull::Forget);
        host.meanwhile.replace(Some(rival("2")));
        for (id, expected) in [("1", Ok(false)), ("1", Err(Cause::Again)), ("2", Err(Cause::Again))] {
            assert_eq!(replay.admit("a", id, NOW.after(10), NOW, &host), expected, "{id}");
        }
    }
}
