//! Draws that are nothing but their seed.
//!
//! The stream is that of NumPy's `default_rng(seed)`, so a draw can be checked where analysts work.

use libm::{erfc, exp, log, log1p, pow};

/// PCG XSL RR 128/64 (O'Neill 2014), seeded by NumPy's `SeedSequence`.
#[derive(Debug, Clone)]
pub struct Draws {
    state: u128,
    increment: u128,
    bell: Layers,
    decay: Layers,
}

impl Draws {
    #[must_use]
    pub fn new(seed: u64) -> Draws {
        let [a, b, c, d] = seed_words(seed).map(u128::from);
        let mut draws = Draws {
            state: 0,
            increment: ((c << 64 | d) << 1) | 1,
            bell: Layers::bell(),
            decay: Layers::decay(),
        };
        draws.step();
        draws.state = draws.state.wrapping_add(a << 64 | b);
        draws.step();
        draws
    }

    pub fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// Uniform in 0..1, of 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal: the ziggurat (Marsaglia & Tsang 2000) of 256 layers.
    pub fn normal(&mut self) -> f64 {
        loop {
            let bits = self.next_u64();
            let layer = (bits & 0xff) as usize;
            let position = (bits >> 9) & ((1 << 52) - 1);
            let size = position as f64 * self.bell.width[layer];
            let x = if bits & 0x100 == 0 { size } else { -size };
            if position < self.bell.inside[layer] {
                return x;
            }
            if layer == 0 {
                let tail = self.tail();
                return if (position >> 8) & 1 == 0 { tail } else { -tail };
            }
            let (above, below) = (self.bell.height[layer - 1], self.bell.height[layer]);
            if (above - below) * self.uniform() + below < exp(-0.5 * x * x) {
                return x;
            }
        }
    }

    /// Exponential with the mean 1, by a ziggurat too.
    pub fn exponential(&mut self) -> f64 {
        loop {
            let bits = self.next_u64() >> 3;
            let layer = (bits & 0xff) as usize;
            let position = bits >> 8;
            let x = position as f64 * self.decay.width[layer];
            if position < self.decay.inside[layer] {
                return x;
            }
            if layer == 0 {
                return DECAY_EDGE - log1p(-self.uniform());
            }
            let (above, below) = (self.decay.height[layer - 1], self.decay.height[layer]);
            if (above - below) * self.uniform() + below < exp(-x) {
                return x;
            }
        }
    }

    /// Gamma of this `shape` and scale 1: Marsaglia & Tsang 2000 ("A simple method for generating
    /// gamma variables"), below 1 Ahrens & Dieter 1974. 0 of a shape that is not above 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape.is_nan() || shape <= 0.0 {
            return 0.0;
        }
        if shape == 1.0 {
            return self.exponential();
        }
        if shape < 1.0 {
            return self.small_gamma(shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let place = self.uniform();
            let square = x * x;
            if place < 1.0 - 0.0331 * square * square
                || log(place) < 0.5 * square + d * (1.0 - v + log(v))
            {
                return d * v;
            }
        }
    }

    fn small_gamma(&mut self, shape: f64) -> f64 {
        loop {
            let place = self.uniform();
            let wait = self.exponential();
            if place <= 1.0 - shape {
                let x = pow(place, 1.0 / shape);
                if x <= wait {
                    return x;
                }
            } else {
                let y = -log((1.0 - place) / shape);
                let x = pow(1.0 - shape + shape * y, 1.0 / shape);
                if x <= wait + y {
                    return x;
                }
            }
        }
    }

    /// Shares that sum to 1, around those of `weights` (Dirichlet).
    pub fn shares(&mut self, weights: &[f64]) -> Vec<f64> {
        let drawn: Vec<f64> = weights.iter().map(|weight| self.gamma(*weight)).collect();
        let total: f64 = drawn.iter().sum();
        drawn.into_iter().map(|share| share / total).collect()
    }

    /// Beta of these shapes, both > 0.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        if x + y > 0.0 { x / (x + y) } else { a / (a + b) }
    }

    fn step(&mut self) {
        const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    fn tail(&mut self) -> f64 {
        loop {
            let x = -log1p(-self.uniform()) / EDGE;
            let y = -log1p(-self.uniform());
            if y + y > x * x {
                return EDGE + x;
            }
        }
    }
}

/// Where the ziggurats' tails begin.
const EDGE: f64 = 3.654_152_885_361_009;
const DECAY_EDGE: f64 = 7.697_117_470_131_05;

#[derive(Debug, Clone)]
struct Layers {
    /// Positions below are inside of the curve.
    inside: Vec<u64>,
    /// Of a position.
    width: Vec<f64>,
    height: Vec<f64>,
}

impl Layers {
    /// Below e^(−x²/2), of positions of 52 bits.
    fn bell() -> Layers {
        let curve = |x: f64| exp(-0.5 * x * x);
        let tail = (core::f64::consts::FRAC_PI_2).sqrt() * erfc(EDGE / core::f64::consts::SQRT_2);
        let area = EDGE * curve(EDGE) + tail;
        Layers::below(curve, |height| (-2.0 * log(height)).sqrt(), (EDGE, area, 52))
    }

    /// Below e^(−x), of positions of 53 bits.
    fn decay() -> Layers {
        let area = (DECAY_EDGE + 1.0) * exp(-DECAY_EDGE);
        Layers::below(|x| exp(-x), |height| -log(height), (DECAY_EDGE, area, 53))
    }

    /// 256 layers of the same area below a curve, whose inverse is given.
    fn below(
        curve: impl Fn(f64) -> f64,
        inverse: impl Fn(f64) -> f64,
        (edge, area, bits): (f64, f64, u32),
    ) -> Layers {
        let positions = (1_u64 << bits) as f64;
        let mut layers =
            Layers { inside: vec![0; 256], width: vec![0.0; 256], height: vec![1.0; 256] };
        let base = area / curve(edge);
        layers.inside[0] = (edge / base * positions) as u64;
        layers.width[0] = base / positions;
        layers.width[255] = edge / positions;
        layers.height[255] = curve(edge);
        let mut outer = edge;
        for layer in (1..255).rev() {
            let inner = inverse(area / outer + curve(outer));
            layers.inside[layer + 1] = (inner / outer * positions) as u64;
            layers.width[layer] = inner / positions;
            layers.height[layer] = curve(inner);
            outer = inner;
        }
        layers
    }
}

/// NumPy's `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u64) -> [u64; 4] {
    let mut hash = 0x43b0_d7e5_u32;
    let mut scramble = |value: u32| {
        let value = value ^ hash;
        hash = hash.wrapping_mul(0x931e_8875);
        let value = value.wrapping_mul(hash);
        value ^ (value >> 16)
    };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(&mut scramble);
    for source in 0..4 {
        for target in 0..4 {
            if source != target {
                let mixed = pool[target]
                    .wrapping_mul(0xca01_f9dd)
                    .wrapping_sub(scramble(pool[source]).wrapping_mul(0x4973_f715));
                pool[target] = mixed ^ (mixed >> 16);
            }
        }
    }
    let mut hash = 0x8b51_f9dd_u32;
    let mut next = |at: usize| {
        let value = pool[at % 4] ^ hash;
        hash = hash.wrapping_mul(0x58f3_8ded);
        let value = value.wrapping_mul(hash);
        u64::from(value ^ (value >> 16))
    };
    core::array::from_fn(|at| next(2 * at) | next(2 * at + 1) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    // NumPy 1.26: default_rng(100).random(3), default_rng(7).standard_normal(2_000_000).
    #[test]
    fn draws_are_those_of_numpy() {
        let mut draws = Draws::new(100);
        for theirs in [0.834_981_63, 0.596_554_03, 0.288_863_24] {
            assert!((draws.uniform() - theirs).abs() < 5e-9);
        }
        assert_eq!(Draws::new(100).next_u64() >> 1, 7_701_346_222_059_636_172);
        let mut draws = Draws::new(7);
        let normals: Vec<f64> = (0..2_000_000).map(|_| draws.normal()).collect();
        for (at, theirs) in [
            (0, 0.001_230_15),
            (2, -0.274_137_86),
            (1000, 0.358_803_95),
            (1_999_999, -0.437_221_96),
        ] {
            assert!((normals[at] - theirs).abs() < 5e-9);
        }
        assert!((normals.iter().sum::<f64>() + 820.183_744_893).abs() < 1e-6);
    }

    // default_rng(5): standard_exponential(1_000_000).sum(), standard_gamma(shape, 100_000).sum().
    #[test]
    fn gammas_are_those_of_numpy() {
        let mut draws = Draws::new(5);
        let sum: f64 = (0..1_000_000).map(|_| draws.exponential()).sum();
        assert!((sum - 1000283.175569763).abs() < 1e-6, "{sum}");
        for (shape, theirs) in
            [(0.3, 30110.19357723173), (1.0, 99531.1610698233), (7.5, 750719.5112569978)]
        {
            let sum: f64 = (0..100_000).map(|_| draws.gamma(shape)).sum();
            assert!((sum - theirs).abs() < 1e-6, "{shape} {sum}");
        }
    }

    #[test]
    fn gammas_and_betas_have_their_means() {
        let mut draws = Draws::new(3);
        for shape in [0.3, 1.0, 7.5] {
            let mean = (0..20_000).map(|_| draws.gamma(shape)).sum::<f64>() / 20_000.0;
            assert!((mean - shape).abs() < 5.0 * (shape / 20_000.0_f64).sqrt(), "{mean}");
        }
        let mean = (0..20_000).map(|_| draws.beta(2.0, 6.0)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.25).abs() < 0.005);
    }
}
