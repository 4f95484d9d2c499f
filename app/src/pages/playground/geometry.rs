//! How near vectors are to each other: the cosine of every two, and their places on the plane that shows most of how they
//! differ (principal components).

/// Rounds that an axis is looked for; what is not found by then is as good as any other.
const ROUNDS: usize = 300;

/// The cosine of every two vectors; 0 with one that has no length.
pub(super) fn similarities(vectors: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let lengths: Vec<f64> = vectors.iter().map(|vector| dot(vector, vector).sqrt()).collect();
    let row = |(one, length): (&Vec<f64>, &f64)| {
        let others = vectors.iter().zip(&lengths);
        others
            .map(|(other, others)| {
                let both = length * others;
                if both > 0.0 { (dot(one, other) / both).clamp(-1.0, 1.0) } else { 0.0 }
            })
            .collect()
    };
    vectors.iter().zip(&lengths).map(row).collect()
}

/// A place for each vector. Their mean is the middle, and both axes have the same scale, so that distances can be compared.
pub(super) fn plane(vectors: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let length = vectors.iter().map(Vec::len).min().unwrap_or_default();
    let mean: Vec<f64> =
        (0..length).map(|at| vectors.iter().map(|vector| vector[at]).sum::<f64>() / vectors.len() as f64).collect();
    let centred: Vec<Vec<f64>> =
        vectors.iter().map(|vector| vector.iter().zip(&mean).map(|(value, mean)| value - mean).collect()).collect();
    // There are fewer vectors than dimensions: their products with each other have the same axes.
    let mut products: Vec<Vec<f64>> =
        centred.iter().map(|one| centred.iter().map(|other| dot(one, other)).collect()).collect();
    let first = axis(&mut products);
    let second = axis(&mut products);
    first.into_iter().zip(second).collect()
}

/// The places on the strongest axis, which is then taken out of the products.
fn axis(products: &mut [Vec<f64>]) -> Vec<f64> {
    let count = products.len();
    // Where it begins must not be at right angles to the axis: no simple pattern.
    let mut along: Vec<f64> = (0..count).map(|at| 1.0 + ((at * 7_919 + 13) % 101) as f64 / 17.0).collect();
    let mut strength = 0.0;
    for _ in 0..ROUNDS {
        let next: Vec<f64> = products.iter().map(|row| dot(row, &along)).collect();
        strength = dot(&next, &next).sqrt();
        if strength < 1e-12 {
            return vec![0.0; count];
        }
        along = next.into_iter().map(|value| value / strength).collect();
    }
    for (row, one) in products.iter_mut().zip(&along) {
        for (value, other) in row.iter_mut().zip(&along) {
            *value -= strength * one * other;
        }
    }
    // The same picture whichever way the axis was found.
    let scale = strength.sqrt() * if along.iter().sum::<f64>() < 0.0 { -1.0 } else { 1.0 };
    along.into_iter().map(|value| value * scale).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(one: (f64, f64), other: (f64, f64)) -> f64 {
        (one.0 - other.0).hypot(one.1 - other.1)
    }

    #[test]
    fn the_cosine_is_of_directions_only() {
        let found = similarities(&[vec![1.0, 0.0], vec![5.0, 0.0], vec![0.0, 2.0], vec![-1.0, 0.0], vec![0.0, 0.0]]);
        assert_eq!(found[0], [1.0, 1.0, 0.0, -1.0, 0.0]);
        assert!((0..5).all(|one| (0..5).all(|other| found[one][other] == found[other][one])));
    }

    #[test]
    fn what_lies_on_a_plane_keeps_its_distances() {
        // Turned into six dimensions, none of which is an axis.
        let flat = [(0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0), (9.0, 1.0)];
        let (along, across) = ([0.5, 0.5, 0.5, 0.5, 0.0, 0.0], [0.5, -0.5, 0.5, -0.5, 0.0, 0.0]);
        let vectors: Vec<Vec<f64>> =
            flat.iter().map(|(x, y)| (0..6).map(|at| 7.0 + x * along[at] + y * across[at]).collect()).collect();
        let places = plane(&vectors);
        for one in 0..flat.len() {
            for other in 0..flat.len() {
                let off = (apart(places[one], places[other]) - apart(flat[one], flat[other])).abs();
                assert!(off < 1e-6, "{one} {other}: {off}");
            }
        }
        let middle = places.iter().fold((0.0, 0.0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
        assert!(apart(middle, (0.0, 0.0)) < 1e-6);
    }

    #[test]
    fn where_nothing_differs_everything_is_in_the_middle() {
        assert_eq!(plane(&[vec![1.0, 2.0], vec![1.0, 2.0]]), [(0.0, 0.0); 2]);
        assert_eq!(plane(&[vec![3.0]]), [(0.0, 0.0)]);
        assert_eq!(plane(&[]), []);
    }
}
