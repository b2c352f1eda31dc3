//! The middle of measurements.

/// What is said of measurements of one thing: the median, and between which two the middle half is.
#[derive(Clone, Copy)]
pub struct Summary {
    pub median: f64,
    pub lower: f64,
    pub upper: f64,
}

impl Summary {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let (middle, quarter) = (values.len() / 2, values.len() / 4);
        let upper = values[middle];
        let median = if values.len() % 2 == 0 { (values[middle - 1] + upper) / 2.0 } else { upper };
        Self { median, lower: values[quarter], upper: values[last - quarter] }
    }
}

/// Whole numbers of this bench are far below what a `u32` holds.
pub fn real(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
