//! Figures over the rounds of a cell: the median, and how far the rounds lie apart.

use serde::{Deserialize, Serialize};

/// One quantity over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// `None` without values, and where one of them is no number.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self {
            median,
            least,
            most,
        })
    }

    /// How far the rounds lie apart, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        ratio(self.most - self.least, self.median).unwrap_or(0.0)
    }
}

/// `a / b`, unless that is no number.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    let ratio = a / b;
    ratio.is_finite().then_some(ratio)
}

/// The straight line through points by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    /// The part of the variance that the line explains: 1 is a perfect line.
    pub(crate) fit: f64,
}

impl Line {
    /// `None` with fewer than two different places on the x axis.
    pub(crate) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = as_float(points.len() as u64);
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let sum = |part: &dyn Fn(f64, f64) -> f64| -> f64 {
            let centred = points.iter().map(|(x, y)| (x - mean_x, y - mean_y));
            centred.map(|(x, y)| part(x, y)).sum()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        let slope = ratio(xy, xx)?;
        // A flat line through flat points fits.
        let fit = ratio(xy * xy, xx * yy).unwrap_or(1.0);
        Some(Self { slope, fit })
    }
}

/// A count as a number to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; exact up to 2^53"
)]
pub(crate) fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        let odd = Figure::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.least, odd.most), (2.0, 1.0, 3.0));
        assert_eq!(Figure::of([4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
        assert_eq!(Figure::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Figure::of([]), None);
        assert_eq!(Figure::of([1.0, f64::NAN]), None);
    }

    #[test]
    fn the_spread_is_relative_to_the_median() {
        assert_eq!(Figure::of([90.0, 100.0, 120.0]).unwrap().spread(), 0.3);
        assert_eq!(Figure::of([5.0]).unwrap().spread(), 0.0);
        assert_eq!(Figure::of([0.0, 0.0]).unwrap().spread(), 0.0);
    }

    #[test]
    fn a_ratio_that_is_no_number_is_none() {
        assert_eq!(ratio(1.0, 4.0), Some(0.25));
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(0.0, 0.0), None);
    }

    #[test]
    fn the_line_finds_slope_and_fit() {
        let line = Line::through(&[(1.0, 10.0), (2.0, 14.0), (3.0, 18.0)]).unwrap();
        assert!(
            (line.slope - 4.0).abs() < 1e-9 && line.fit > 0.999,
            "{line:?}"
        );
        let bent = Line::through(&[(1.0, 0.0), (2.0, 9.0), (3.0, 1.0)]).unwrap();
        assert!(bent.fit < 0.5, "{bent:?}");
        let flat = Line::through(&[(1.0, 2.0), (5.0, 2.0)]).unwrap();
        assert_eq!((flat.slope, flat.fit), (0.0, 1.0));
        assert_eq!(Line::through(&[(1.0, 2.0)]), None);
        assert_eq!(Line::through(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(Line::through(&[]), None);
    }
}
