//! The middle and the ends of a few measurements.

/// What is said of measurements of one thing.
#[derive(Clone, Copy)]
pub struct Summary {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Summary {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first().unwrap(), *values.last().unwrap());
        let middle = values.len() / 2;
        let upper = values[middle];
        let median = if values.len() % 2 == 0 { (values[middle - 1] + upper) / 2.0 } else { upper };
        Self { median, least, most }
    }
}

/// Whole numbers of this bench are far below what a `u32` holds.
pub fn real(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
