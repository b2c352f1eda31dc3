//! An input taken apart. Where it ends, everything is empty and zero, so that no input is too short.

/// What is left of an input.
#[derive(Clone)]
pub(super) struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Everything before this byte, which is taken too.
    pub(super) fn until(&mut self, end: u8) -> &'d [u8] {
        let length = self.0.iter().position(|byte| *byte == end);
        let taken = self.take(length.unwrap_or(self.0.len()));
        self.take(1);
        taken
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'d [u8] {
        self.take(self.0.len())
    }

    /// Lines of `name: value` up to a zero byte, as headers.
    pub(super) fn headers(&mut self) -> Vec<(&'d [u8], &'d [u8])> {
        let lines = self.until(0).split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(header).collect()
    }
}

/// The first colon may be that of a pseudo-header.
fn header(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().skip(1).position(|byte| *byte == b':').map_or(line.len(), |index| index + 1);
    let (name, value) = line.split_at(colon);
    (name, value.get(1..).unwrap_or_default().trim_ascii())
}
