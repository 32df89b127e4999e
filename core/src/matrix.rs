//! Small symmetric matrices, as regressions need them.

/// A square matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    size: usize,
    cells: Vec<f64>,
}

impl Matrix {
    #[must_use]
    pub fn zero(size: usize) -> Matrix {
        Matrix { size, cells: vec![0.0; size * size] }
    }

    /// `value` on the diagonal.
    #[must_use]
    pub fn diagonal(size: usize, value: f64) -> Matrix {
        let mut matrix = Matrix::zero(size);
        for at in 0..size {
            matrix.set(at, at, value);
        }
        matrix
    }

    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.cells[row * self.size + column]
    }

    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        self.cells[row * self.size + column] = value;
    }

    /// Sets a cell and its mirror image.
    pub fn mirror(&mut self, row: usize, column: usize, value: f64) {
        self.set(row, column, value);
        self.set(column, row, value);
    }

    /// Adds `weight` · x xᵀ.
    pub fn add_square(&mut self, x: &[f64], weight: f64) {
        for (row, a) in x.iter().enumerate() {
            for (column, b) in x.iter().enumerate() {
                self.cells[row * self.size + column] += weight * a * b;
            }
        }
    }

    /// A x.
    #[must_use]
    pub fn times(&self, x: &[f64]) -> Vec<f64> {
        self.cells.chunks_exact(self.size.max(1)).map(|row| dot(row, x)).collect()
    }

    /// xᵀ A y.
    #[must_use]
    pub fn between(&self, x: &[f64], y: &[f64]) -> f64 {
        dot(x, &self.times(y))
    }

    /// L with L Lᵀ = A (Cholesky); `None` where A is not positive definite.
    #[must_use]
    pub fn root(&self) -> Option<Matrix> {
        let mut root = Matrix::zero(self.size);
        for row in 0..self.size {
            for column in 0..=row {
                let known: f64 = (0..column).map(|k| root.at(row, k) * root.at(column, k)).sum();
                let rest = self.at(row, column) - known;
                if row != column {
                    root.set(row, column, rest / root.at(column, column));
                } else if rest > 0.0 {
                    root.set(row, row, rest.sqrt());
                } else {
                    return None;
                }
            }
        }
        Some(root)
    }

    /// A⁻¹ of a symmetric positive definite matrix; `None` of others.
    #[must_use]
    pub fn inverse(&self) -> Option<Matrix> {
        let root = self.root()?;
        let mut inverse = Matrix::zero(self.size);
        for column in 0..self.size {
            let mut unit = vec![0.0; self.size];
            unit[column] = 1.0;
            for (row, value) in root.back(&root.forward(&unit)).into_iter().enumerate() {
                inverse.set(row, column, value);
            }
        }
        Some(inverse)
    }

    /// x with L x = b, of a lower triangle.
    #[must_use]
    pub fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut x = Vec::with_capacity(self.size);
        for (row, value) in b.iter().enumerate() {
            let known: f64 = x.iter().enumerate().map(|(k, x)| self.at(row, k) * x).sum();
            x.push((value - known) / self.at(row, row));
        }
        x
    }

    /// x with Lᵀ x = b, of a lower triangle.
    #[must_use]
    pub fn back(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for row in (0..self.size).rev() {
            let known: f64 = (row + 1..self.size).map(|k| self.at(k, row) * x[k]).sum();
            x[row] = (x[row] - known) / self.at(row, row);
        }
        x
    }
}

/// Σ aᵢ bᵢ, in order.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        let mut matrix = Matrix::diagonal(3, 2.0);
        matrix.add_square(&[1.0, -2.0, 0.5], 3.0);
        matrix.add_square(&[0.25, 1.0, 4.0], 1.0);
        let inverse = matrix.inverse().unwrap();
        for column in 0..3 {
            let unit: Vec<f64> = (0..3).map(|row| inverse.at(row, column)).collect();
            for (row, value) in matrix.times(&unit).into_iter().enumerate() {
                let expected = if row == column { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_depends_on_one_another_has_no_inverse() {
        let mut matrix = Matrix::zero(2);
        matrix.add_square(&[1.0, 2.0], 1.0);
        assert_eq!(matrix.inverse(), None);
    }
}
