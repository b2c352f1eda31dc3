//! The host functions of proxy-wasm ABI 0.2.1 that the filter calls, with every status handed to the caller.
//!
//! The SDK's own wrappers panic on a status that they do not expect, and a panic ends all traffic of a worker.

#![expect(unsafe_code, reason = "the border to the host")]

use std::ptr::{null, null_mut};

use crate::host::Written;
use crate::http::reply::Reply;

/// The host refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// The headers of a message (`proxy_header_map_type_t`).
#[derive(Clone, Copy)]
pub(super) enum HeaderMap {
    Request,
    Response,
    /// Of the answer to a call.
    CallResponse,
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;
const CALL_RESPONSE_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;
const REQUEST: u32 = 0;
const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const NO_GRPC_STATUS: i32 = -1;

#[cfg_attr(target_family = "wasm", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_get_buffer_bytes(kind: u32, start: usize, size: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        value_length: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_length: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_length: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_length: usize, value: *const u8, value_length: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_length: usize,
        data: *mut *mut u8,
        length: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_length: usize,
        value: *const u8,
        value_length: usize,
        version: u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_length: usize,
        body: *const u8,
        body_length: usize,
        headers: *const u8,
        headers_length: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_length: usize,
        arguments: *const u8,
        arguments_length: usize,
        data: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_length: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// Calls a function that returns bytes, which the host has put into memory of the SDK's allocator.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Refused> {
    let mut data = null_mut();
    let mut length = 0;
    done(call(&raw mut data, &raw mut length))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host allocated `length` bytes at `data` with `proxy_on_memory_allocate`, which hands out a boxed slice
    // of exactly that size, filled them, and keeps no reference.
    Ok(unsafe { Vec::from_raw_parts(data, length, length) })
}

fn done(status: u32) -> Result<(), Refused> {
    if status == OK { Ok(()) } else { Err(Refused) }
}

/// The plugin's configuration.
pub(super) fn plugin_configuration() -> Result<Vec<u8>, Refused> {
    // SAFETY: the pointers are valid for the duration of the call; the same holds for every call below.
    returned(|data, length| unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, length) })
}

/// The body of the answer to a call.
pub(super) fn call_response_body(size: usize) -> Result<Vec<u8>, Refused> {
    // SAFETY: see above.
    returned(|data, length| unsafe { proxy_get_buffer_bytes(CALL_RESPONSE_BODY, 0, size, data, length) })
}

/// Ticks so often from now on.
pub(super) fn set_tick_period(milliseconds: u32) -> Result<(), Refused> {
    // SAFETY: see above.
    done(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// Calls are about this context from now on. When it is gone they go on being about the one before.
pub(super) fn set_effective_context(context: u32) -> Result<(), Refused> {
    // SAFETY: see above.
    done(unsafe { proxy_set_effective_context(context) })
}

/// Lets a request go on that was held. Its headers cannot be changed any more.
pub(super) fn continue_request() -> Result<(), Refused> {
    // SAFETY: see above.
    done(unsafe { proxy_continue_stream(REQUEST) })
}

impl HeaderMap {
    fn number(self) -> u32 {
        match self {
            Self::Request => 0,
            Self::Response => 2,
            Self::CallResponse => 6,
        }
    }

    /// All headers, encoded as [`pairs`](crate::encoding::pairs).
    pub(super) fn read(self) -> Result<Vec<u8>, Refused> {
        // SAFETY: see above.
        returned(|data, length| unsafe { proxy_get_header_map_pairs(self.number(), data, length) })
    }

    /// Adds a value to a header.
    pub(super) fn add(self, name: &str, value: &[u8]) -> Result<(), Refused> {
        // SAFETY: see above.
        done(unsafe {
            proxy_add_header_map_value(self.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len())
        })
    }

    /// Sets a header.
    pub(super) fn set(self, name: &str, value: &[u8]) -> Result<(), Refused> {
        // SAFETY: see above.
        done(unsafe {
            proxy_replace_header_map_value(self.number(), name.as_ptr(), name.len(), value.as_ptr(), value.len())
        })
    }

    /// Removes every value of a header.
    pub(super) fn remove(self, name: &str) -> Result<(), Refused> {
        // SAFETY: see above.
        done(unsafe { proxy_remove_header_map_value(self.number(), name.as_ptr(), name.len()) })
    }
}

/// An attribute, its path in one string with NUL between the segments.
pub(super) fn property(name: &str) -> Result<Vec<u8>, Refused> {
    // SAFETY: see above.
    returned(|data, length| unsafe { proxy_get_property(name.as_ptr(), name.len(), data, length) })
}

/// Sets the filter state `wasm.NAME`.
pub(super) fn set_property(name: &str, value: &[u8]) -> Result<(), Refused> {
    // SAFETY: see above.
    done(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Calls a function that Envoy has beside the ABI.
pub(super) fn foreign(name: &str, arguments: &[u8]) -> Result<Vec<u8>, Refused> {
    returned(|data, length| call(name, arguments, data, length))
}

/// Gives a filter state a type. A second declaration in one VM is a bad argument, and the first one still holds.
pub(super) fn declare_property(arguments: &[u8]) -> Result<(), Refused> {
    let answer = returned(|data, length| match call("declare_property", arguments, data, length) {
        BAD_ARGUMENT => OK,
        status => status,
    });
    answer.map(drop)
}

fn call(name: &str, arguments: &[u8], data: *mut *mut u8, length: *mut usize) -> u32 {
    let start = if arguments.is_empty() { null() } else { arguments.as_ptr() };
    // SAFETY: see above.
    unsafe { proxy_call_foreign_function(name.as_ptr(), name.len(), start, arguments.len(), data, length) }
}

/// A value that all plugins with this VM's id share, and its version; `None` when there is no such value.
pub(super) fn shared(key: &str) -> Result<Option<(Vec<u8>, u32)>, Refused> {
    let (mut data, mut length, mut version) = (null_mut(), 0, 0);
    // SAFETY: see above.
    let status =
        unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &raw mut data, &raw mut length, &raw mut version) };
    match status {
        NOT_FOUND => Ok(None),
        // SAFETY: as in `returned`.
        OK if !data.is_null() => Ok(Some((unsafe { Vec::from_raw_parts(data, length, length) }, version))),
        OK => Ok(Some((Vec::new(), version))),
        _ => Err(Refused),
    }
}

/// Writes such a value unless its version is another one by now. Version zero writes in any case.
pub(super) fn share(key: &str, value: &[u8], version: u32) -> Written {
    // SAFETY: see above.
    match unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version) } {
        OK => Written::Done,
        CAS_MISMATCH => Written::Overtaken,
        _ => Written::Refused,
    }
}

/// Answers the request.
pub(super) fn reply(reply: &Reply) -> Result<(), Refused> {
    // SAFETY: see above.
    done(unsafe {
        proxy_send_local_response(
            reply.status.into(),
            reply.details.as_ptr(),
            reply.details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            reply.headers.as_ptr(),
            reply.headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Makes or finds a counter.
pub(super) fn define_counter(name: &str) -> Result<u32, Refused> {
    define_metric(COUNTER, name)
}

/// Makes or finds a gauge, which all workers share.
pub(super) fn define_gauge(name: &str) -> Result<u32, Refused> {
    define_metric(GAUGE, name)
}

/// Sets a gauge.
pub(super) fn record(gauge: u32, value: u64) {
    // SAFETY: see above. A gauge that does not show is no reason to fail anything.
    let _ = unsafe { proxy_record_metric(gauge, value) };
}

fn define_metric(kind: u32, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: see above.
    done(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter, or to a gauge, from which it may also take.
pub(super) fn add(metric: u32, offset: i64) {
    // SAFETY: see above. A metric that does not count is no reason to fail a request.
    let _ = unsafe { proxy_increment_metric(metric, offset) };
}
