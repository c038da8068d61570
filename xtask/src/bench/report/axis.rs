//! The axes of a plot: from a value to a place, and the marks on the way.

use super::super::statistics::as_float;

/// One axis, from the values it shows to pixels.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    /// Where `low` and `high` are; `high` may be above, as on a screen y grows downward.
    from: f64,
    to: f64,
}

/// Values that differ by more than this are told apart better on a logarithmic axis.
const LOG_FROM: f64 = 12.0;

impl Axis {
    /// For positive values: from zero, or logarithmic where they span a lot.
    pub(crate) fn fitting(values: &[f64], from: f64, to: f64) -> Self {
        let (least, most) = extent(values);
        if most / least > LOG_FROM {
            Self::log(least / 1.15, most * 1.15, from, to)
        } else {
            Self {
                low: 0.0,
                high: most * 1.06,
                is_log: false,
                from,
                to,
            }
        }
    }

    /// Logarithmic, from the least to the most of the values.
    pub(crate) fn logarithmic(values: &[f64], from: f64, to: f64) -> Self {
        let (least, most) = extent(values);
        Self::log(least / 1.3, most * 1.3, from, to)
    }

    /// Logarithmic, with the ends of the axis at the first and the last depth.
    pub(crate) fn depths(depths: &[usize], from: f64, to: f64) -> Self {
        let values: Vec<f64> = depths.iter().map(|depth| as_float(*depth as u64)).collect();
        let (least, most) = extent(&values);
        Self::log(
            least,
            if most > least { most } else { least * 2.0 },
            from,
            to,
        )
    }

    fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self {
            low,
            high,
            is_log: true,
            from,
            to,
        }
    }

    /// Where a value is. What is beyond an end is at the end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let part = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + part * (self.to - self.from)
    }

    /// Round values to mark, few enough to read.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        }
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let marks = (0..20u32).map(|number| self.low + f64::from(number) * step);
        marks.take_while(|mark| *mark <= self.high).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let marks = |within: &[f64]| -> Vec<f64> {
            let mut marks = Vec::new();
            for exponent in -4..=12 {
                let power = 10f64.powi(exponent);
                let all = within.iter().map(|step| step * power);
                marks.extend(all.filter(|mark| (self.low..=self.high).contains(mark)));
            }
            marks
        };
        // The finest of these that is not too many.
        let choices = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]].map(marks);
        let fitting = choices.iter().find(|marks| marks.len() <= 7);
        fitting.or(choices.last()).cloned().unwrap_or_default()
    }
}

/// The least and the most of the positive values; something to draw without any.
fn extent(values: &[f64]) -> (f64, f64) {
    let positive = || {
        values
            .iter()
            .copied()
            .filter(|value| *value > 0.0 && value.is_finite())
    };
    let least = positive().fold(f64::INFINITY, f64::min);
    let most = positive().fold(0.0, f64::max);
    if most > 0.0 {
        (least, most)
    } else {
        (1.0, 2.0)
    }
}

/// Moves places apart that are nearer to each other than `gap`, keeping their order and staying
/// within `low..=high` where there is room.
pub(crate) fn spread_out(places: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut moved = places.to_vec();
    let mut floor = low;
    for &index in &order {
        moved[index] = moved[index].max(floor);
        floor = moved[index] + gap;
    }
    let mut ceiling = high;
    for &index in order.iter().rev() {
        moved[index] = moved[index].min(ceiling);
        ceiling = moved[index] - gap;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_near_each_other_begin_at_zero() {
        let axis = Axis::fitting(&[100.0, 200.0], 300.0, 0.0);
        assert_eq!(axis.place(0.0), 300.0);
        assert!(axis.place(200.0) < 20.0);
        assert_eq!(axis.ticks(), [0.0, 50.0, 100.0, 150.0, 200.0]);
    }

    #[test]
    fn values_far_apart_are_on_a_logarithmic_axis() {
        let axis = Axis::fitting(&[24e3, 900e3], 0.0, 100.0);
        assert_eq!(axis.ticks(), [50e3, 100e3, 200e3, 500e3, 1e6]);
        let (a, b, c) = (axis.place(50e3), axis.place(100e3), axis.place(200e3));
        assert!(
            (b - a - (c - b)).abs() < 1e-9,
            "equal ratios are equal distances"
        );
    }

    #[test]
    fn an_axis_is_drawn_without_values_and_with_one() {
        for values in [&[][..], &[0.0], &[7.0], &[f64::NAN]] {
            for axis in [
                Axis::fitting(values, 0.0, 100.0),
                Axis::logarithmic(values, 0.0, 100.0),
            ] {
                assert!(axis.place(7.0).is_finite(), "{values:?}");
                assert!(axis.ticks().len() < 12, "{values:?} {:?}", axis.ticks());
            }
        }
        assert!(Axis::depths(&[32], 0.0, 100.0).place(32.0).is_finite());
        assert!(Axis::depths(&[], 0.0, 100.0).place(1.0).is_finite());
    }

    #[test]
    fn labels_keep_their_distance_and_their_order() {
        let moved = spread_out(&[50.0, 51.0, 10.0, 52.0], 12.0, 0.0, 100.0);
        assert_eq!(moved, [50.0, 62.0, 10.0, 74.0]);
        let low = spread_out(&[95.0, 96.0, 97.0], 10.0, 0.0, 100.0);
        assert_eq!(low, [80.0, 90.0, 100.0]);
    }
}
